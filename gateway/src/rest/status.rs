//! `/api`, `/api/status`, `/api/me`, and what is not there.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::error::Error;
use nbos_kernel::time::iso8601;

pub(super) async fn api() -> HttpResponse {
    let version = env!("CARGO_PKG_VERSION");
    HttpResponse::Ok().json(json!({"version": version, "gateway_version": version}))
}

pub(super) async fn status(app: web::Data<App>) -> HttpResponse {
    let view = app.cluster.view();
    let infos = app.cluster.infos(view.kernels.values()).await;
    let created = view.kernels.values().map(|record| record.created_us);
    let active = infos.values().flatten().map(|info| info.last_activity_us);
    let activity = created.chain(active).fold(app.started_us, u64::max);
    HttpResponse::Ok().json(json!({
        "started": iso8601(app.started_us),
        "last_activity": iso8601(activity),
        "kernels": view.kernels.len(),
        "connections": app.metrics.connections.get(),
    }))
}

#[derive(Deserialize)]
pub(super) struct MeQuery {
    /// A JSON object: resource → actions asked about.
    permissions: Option<String>,
}

/// Whoever has the token may do everything.
pub(super) async fn me(query: web::Query<MeQuery>) -> Result<HttpResponse, Error> {
    let asked = query.permissions.as_deref().unwrap_or("{}");
    let permissions: Value = serde_json::from_str(asked)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| Error::BadRequest("permissions should be a JSON dict of {resource: [action]}".to_owned()))?;
    Ok(HttpResponse::Ok().json(json!({
        "identity": {
            "username": "nbos", "name": "nbos", "display_name": "nbos", "initials": "N",
            "avatar_url": null, "color": null,
        },
        "permissions": permissions,
        "updatable_fields": [],
    })))
}

pub(super) async fn no_such_page(request: HttpRequest) -> Result<HttpResponse, Error> {
    Err(Error::NoSuchPage(request.path().to_owned()))
}

pub(super) async fn method_not_allowed(request: HttpRequest) -> Result<HttpResponse, Error> {
    Err(Error::MethodNotAllowed {
        method: request.method().to_string(),
        path: request.path().to_owned(),
    })
}
