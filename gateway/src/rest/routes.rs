//! The list of routes, and the one door they all lie behind.

use std::collections::BTreeMap;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderMap, HeaderValue,
};
use actix_web::middleware::Next;
use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, ResponseError, web};

use super::{admin, kernels, kernelspecs, sessions, status};
use crate::app::App;
use crate::error::Error;
use crate::socket;

/// One row of the table; tests walk it.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    handler: actix_web::Route,
}

#[rustfmt::skip]
pub(crate) fn routes() -> Vec<Route> {
    vec![
        row(Method::GET,    "/api",                                 web::to(status::api)),
        row(Method::GET,    "/api/status",                          web::to(status::status)),
        row(Method::GET,    "/api/me",                              web::to(status::me)),
        row(Method::GET,    "/api/kernelspecs",                     web::to(kernelspecs::list)),
        row(Method::GET,    "/api/kernelspecs/{name}",              web::to(kernelspecs::get)),
        row(Method::GET,    "/kernelspecs/{name}/{file}",           web::to(kernelspecs::resource)),
        row(Method::GET,    "/api/kernels",                         web::to(kernels::list)),
        row(Method::POST,   "/api/kernels",                         web::to(kernels::create)),
        row(Method::GET,    "/api/kernels/{id}",                    web::to(kernels::get)),
        row(Method::DELETE, "/api/kernels/{id}",                    web::to(kernels::delete)),
        row(Method::POST,   "/api/kernels/{id}/interrupt",          web::to(kernels::interrupt)),
        row(Method::POST,   "/api/kernels/{id}/restart",            web::to(kernels::restart)),
        row(Method::GET,    "/api/kernels/{id}/channels",           web::to(socket::channels)),
        row(Method::GET,    "/api/sessions",                        web::to(sessions::list)),
        row(Method::POST,   "/api/sessions",                        web::to(sessions::create)),
        row(Method::GET,    "/api/sessions/{id}",                   web::to(sessions::get)),
        row(Method::PATCH,  "/api/sessions/{id}",                   web::to(sessions::patch)),
        row(Method::DELETE, "/api/sessions/{id}",                   web::to(sessions::delete)),
        row(Method::GET,    "/api/cluster/tree",                    web::to(admin::tree)),
        row(Method::GET,    "/api/cluster/hosts",                   web::to(admin::hosts)),
        row(Method::GET,    "/api/cluster/kernels",                 web::to(admin::kernels)),
        row(Method::GET,    "/api/cluster/kernels/{id}",            web::to(admin::kernel)),
        row(Method::POST,   "/api/cluster/kernels/{id}/handover",   web::to(admin::handover)),
        row(Method::POST,   "/api/cluster/kernels/{id}/migrate",    web::to(admin::migrate)),
        row(Method::POST,   "/api/cluster/hosts/{name}/drain",      web::to(admin::drain)),
        row(Method::POST,   "/api/cluster/hosts/{name}/gpus/{index}/fault", web::to(admin::fault)),
        row(Method::POST,   "/api/cluster/restart",                 web::to(admin::restart)),
        row(Method::GET,    "/api/cluster/scaling",                 web::to(admin::scaling)),
        row(Method::GET,    "/api/cluster/events",                  web::to(admin::events)),
        row(Method::GET,    "/metrics",                             web::to(admin::metrics)),
    ]
}

fn row(method: Method, path: &'static str, handler: actix_web::Route) -> Route {
    Route { method, path, handler }
}

pub(crate) fn configure(config: &mut ServiceConfig) {
    let mut resources: BTreeMap<&'static str, actix_web::Resource> = BTreeMap::new();
    for Route { method, path, handler } in routes() {
        let resource = resources
            .remove(path)
            .unwrap_or_else(|| web::resource(path).default_service(web::to(status::method_not_allowed)));
        resources.insert(path, resource.route(handler.method(method)));
    }
    for resource in resources.into_values() {
        config.service(resource);
    }
    config.default_service(web::to(status::no_such_page));
}

/// Stands before every route, the unknown ones too: answers `OPTIONS`, lets nobody else in without the token, and adds
/// the CORS headers.
pub(crate) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let app = app(&request);
    app.metrics.requests.count();
    let mut response = if request.method() == Method::OPTIONS {
        request.into_response(HttpResponse::Ok().finish()).map_into_boxed_body()
    } else {
        match app.token.check(request.uri(), request.headers()) {
            Ok(()) => next.call(request).await?.map_into_boxed_body(),
            Err(error) => request.into_response(error.error_response()),
        }
    };
    if response.status().as_u16() >= 400 {
        app.metrics.refused_requests.count();
    }
    cors(response.headers_mut(), &app.options.allow_origin);
    Ok(response)
}

fn app(request: &ServiceRequest) -> web::Data<App> {
    request
        .app_data::<web::Data<App>>()
        .cloned()
        .expect("invariant: the server is built with its app data")
}

fn cors(headers: &mut HeaderMap, allow_origin: &str) {
    if let Ok(origin) = HeaderValue::from_str(allow_origin)
        && !origin.is_empty()
    {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PATCH, PUT, DELETE, OPTIONS"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Authorization, Content-Type, Accept, X-XSRFToken"),
    );
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Location"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}

/// A query or path that does not parse gets the same shape of answer as everything else.
pub(crate) fn unreadable(error: impl std::fmt::Display) -> actix_web::Error {
    Error::BadRequest(format!("the request cannot be read: {error}")).into()
}
