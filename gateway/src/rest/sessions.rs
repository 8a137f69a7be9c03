//! `/api/sessions`: notebook paths bound to kernels, kept in the control state so that every gateway knows them.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use nbos_kernel::KernelId;
use nbos_kernel::protocol::KernelSpec;
use nbos_scheduler::{KernelRecord, SessionRecord};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{body, kernels, kernelspecs, model};
use crate::app::App;
use crate::error::Error;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    path: Option<String>,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    kernel: WantedKernel,
    /// How clients before sessions had types say `path`.
    notebook: WantedNotebook,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WantedKernel {
    id: Option<String>,
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WantedNotebook {
    path: Option<String>,
    name: Option<String>,
}

pub(super) async fn list(app: web::Data<App>) -> HttpResponse {
    let view = app.cluster.view();
    let records = view
        .sessions
        .values()
        .filter_map(|session| view.kernels.get(&session.kernel));
    let infos = app.cluster.infos(records).await;
    let models = view.sessions.values().filter_map(|session| {
        let record = view.kernels.get(&session.kernel)?;
        let infos = infos.get(&session.kernel).map(Vec::as_slice).unwrap_or_default();
        Some(describe(session, model::kernel(record, infos)))
    });
    HttpResponse::Ok().json(models.collect::<Vec<Value>>())
}

pub(super) async fn create(app: web::Data<App>, payload: web::Payload) -> Result<HttpResponse, Error> {
    let wanted: Wanted = body::json(payload, &app).await?;
    let Some(path) = wanted.path.or(wanted.notebook.path) else {
        return Err(Error::BadRequest("a session needs a path".to_owned()));
    };
    let kind = wanted.kind.unwrap_or_else(|| "notebook".to_owned());
    let existing = app
        .cluster
        .view()
        .sessions
        .values()
        .find(|session| session.path == path && session.kind == kind)
        .cloned();
    let session = match existing {
        Some(session) => session,
        None => {
            let Some(kernel) = kernel_for(&app, &wanted.kernel).await? else {
                return Ok(no_such_spec(wanted.kernel.name.as_deref().unwrap_or_default()));
            };
            let name = wanted.name.or(wanted.notebook.name).unwrap_or_default();
            let session = SessionRecord {
                id: Uuid::new_v4().to_string(),
                path,
                name,
                kind,
                kernel,
            };
            app.cluster.put_session(session.clone()).await?;
            session
        }
    };
    let model = session_model(&app, &session).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/api/sessions/{}", session.id)))
        .json(model))
}

pub(super) async fn get(path: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse, Error> {
    let session = find(&app, &path)?;
    Ok(HttpResponse::Ok().json(session_model(&app, &session).await?))
}

pub(super) async fn patch(
    path: web::Path<String>,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    let wanted: Wanted = body::json(payload, &app).await?;
    let before = find(&app, &path)?;
    let mut session = before.clone();
    session.path = wanted.path.or(wanted.notebook.path).unwrap_or(session.path);
    session.name = wanted.name.or(wanted.notebook.name).unwrap_or(session.name);
    session.kind = wanted.kind.unwrap_or(session.kind);
    if wanted.kernel.id.is_some() || wanted.kernel.name.is_some() {
        let Some(kernel) = kernel_for(&app, &wanted.kernel).await? else {
            return Ok(no_such_spec(wanted.kernel.name.as_deref().unwrap_or_default()));
        };
        session.kernel = kernel;
    }
    app.cluster.put_session(session.clone()).await?;
    if session.kernel != before.kernel {
        match app.cluster.delete_kernel(before.kernel).await {
            Ok(()) | Err(Error::NoSuchKernel(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(HttpResponse::Ok().json(session_model(&app, &session).await?))
}

/// Ends the session and its kernel.
pub(super) async fn delete(path: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse, Error> {
    let session = find(&app, &path)?;
    match app.cluster.delete_kernel(session.kernel).await {
        // Its sessions go with the kernel.
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(Error::NoSuchKernel(kernel)) => {
            match app.cluster.delete_session(&session.id).await {
                Ok(()) | Err(Error::NoSuchSession(_)) => {}
                Err(error) => return Err(error),
            }
            Err(Error::KernelGone(kernel))
        }
        Err(error) => Err(error),
    }
}

fn find(app: &App, id: &str) -> Result<SessionRecord, Error> {
    app.cluster
        .view()
        .sessions
        .get(id)
        .cloned()
        .ok_or_else(|| Error::NoSuchSession(id.to_owned()))
}

/// The kernel asked for: an existing one by its id, else a new one; `None` when there is no such kernelspec.
async fn kernel_for(app: &App, wanted: &WantedKernel) -> Result<Option<KernelId>, Error> {
    if let Some(id) = &wanted.id {
        return Ok(Some(app.cluster.kernel(id).await?.id));
    }
    let name = wanted
        .name
        .clone()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| kernelspecs::DEFAULT.to_owned());
    if kernelspecs::known(&name).is_err() {
        return Ok(None);
    }
    let id = KernelId::random();
    kernels::start(
        app,
        id,
        KernelSpec {
            name,
            ..KernelSpec::default()
        },
    )
    .await?;
    Ok(Some(id))
}

/// jupyter_server answers an unknown kernelspec of a session in a shape of its own; JupyterLab shows both messages.
fn no_such_spec(name: &str) -> HttpResponse {
    let error = Error::NoSuchKernelSpec(name.to_owned());
    HttpResponse::NotImplemented().json(json!({
        "message": format!("The '{name}' kernel is not available. {error}"),
        "short_message": format!("The '{name}' kernel is not available."),
        "reason": "Not Implemented",
        "code": error.code(),
        "traceback": "",
    }))
}

async fn session_model(app: &App, session: &SessionRecord) -> Result<Value, Error> {
    let gone = || Error::KernelGone(session.kernel.to_string());
    let record: KernelRecord = app
        .cluster
        .kernel(&session.kernel.to_string())
        .await
        .map_err(|_| gone())?;
    let infos = app
        .cluster
        .infos([&record])
        .await
        .remove(&record.id)
        .unwrap_or_default();
    Ok(describe(session, model::kernel(&record, &infos)))
}

fn describe(session: &SessionRecord, kernel: Value) -> Value {
    json!({
        "id": session.id,
        "path": session.path,
        "name": session.name,
        "type": session.kind,
        "kernel": kernel,
        "notebook": {"path": session.path, "name": session.name},
    })
}
