//! `/api/kernels`

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use nbos_kernel::KernelId;
use nbos_kernel::protocol::{KernelSpec, ReplicaRequest};
use serde::Deserialize;
use serde_json::Value;

use super::{body, kernelspecs, model};
use crate::app::App;
use crate::error::Error;

/// An interrupt that has not arrived by then is of no use to whoever asked.
const INTERRUPT_WITHIN: Duration = Duration::from_secs(10);

/// jupyter_server's limit for a restart.
const RESTART_WITHIN: Duration = Duration::from_secs(60);

/// Longest value of a variable, as in Enterprise Gateway.
const MAX_VALUE: usize = 4_096;

/// Variables a client may set; clients send about ten.
const MAX_VARIABLES: usize = 128;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Create {
    name: Option<String>,
    kernel_id: Option<String>,
    path: Option<String>,
    env: BTreeMap<String, Value>,
    resources: Resources,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resources {
    gpus: Option<u32>,
    /// Bytes that each of them must have.
    vram: Option<u64>,
    /// Bytes of main memory.
    memory: Option<u64>,
}

pub(super) async fn list(app: web::Data<App>) -> HttpResponse {
    let view = app.cluster.view();
    let infos = app.cluster.infos(view.kernels.values()).await;
    let models = view.kernels.iter().map(|(id, record)| {
        let infos = infos.get(id).map(Vec::as_slice).unwrap_or_default();
        model::kernel(record, infos)
    });
    HttpResponse::Ok().json(models.collect::<Vec<Value>>())
}

pub(super) async fn create(app: web::Data<App>, payload: web::Payload) -> Result<HttpResponse, Error> {
    let create: Create = body::json(payload, &app).await?;
    let id = match &create.kernel_id {
        Some(text) => {
            KernelId::parse(text).ok_or_else(|| Error::BadRequest(format!("kernel_id is not a UUID: {text}")))?
        }
        None => KernelId::random(),
    };
    let model = start(&app, id, spec(create)?).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/api/kernels/{id}")))
        .json(model))
}

/// Creates a kernel; its model says `starting`.
pub(super) async fn start(app: &App, id: KernelId, spec: KernelSpec) -> Result<Value, Error> {
    let (limit, view) = (app.options.max_kernels, app.cluster.view());
    if limit > 0 && view.kernels.len() >= limit && !view.kernels.contains_key(&id) {
        return Err(Error::TooManyKernels { limit });
    }
    let record = app.cluster.create_kernel(id, spec).await?;
    tracing::info!(kernel = %id, "kernel created");
    Ok(model::kernel(&record, &[]))
}

pub(super) async fn get(path: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse, Error> {
    let record = app.cluster.kernel(&path).await?;
    let infos = app.cluster.infos_of(&record).await?;
    Ok(HttpResponse::Ok().json(model::kernel(&record, &infos)))
}

pub(super) async fn delete(path: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse, Error> {
    let record = app.cluster.kernel(&path).await?;
    app.cluster.delete_kernel(record.id).await?;
    tracing::info!(kernel = %record.id, "kernel deleted");
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn interrupt(
    path: web::Path<String>,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    body::ignore(payload, &app).await?;
    let record = app.cluster.kernel(&path).await?;
    app.cluster
        .ask_executor(&record, &ReplicaRequest::Interrupt, INTERRUPT_WITHIN)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

pub(super) async fn restart(
    path: web::Path<String>,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    body::ignore(payload, &app).await?;
    let record = app.cluster.kernel(&path).await?;
    if let Some(bridge) = app.bridges.registry().get(record.id) {
        bridge.restarted();
    }
    app.cluster
        .ask_executor(&record, &ReplicaRequest::Restart, RESTART_WITHIN)
        .await?;
    tracing::info!(kernel = %record.id, "kernel restarted");
    let infos = app.cluster.infos_of(&record).await?;
    Ok(HttpResponse::Ok().json(model::kernel(&record, &infos)))
}

/// What a request asks for, checked. Pure.
fn spec(create: Create) -> Result<KernelSpec, Error> {
    let name = create.name.unwrap_or_else(|| kernelspecs::DEFAULT.to_owned());
    kernelspecs::known(&name)?;
    let env = environment(create.env)?;
    let from_env = env.get("KERNEL_GPUS").map(|text| {
        text.trim()
            .parse::<u32>()
            .map_err(|_| bad("KERNEL_GPUS", "it must be a number of GPUs"))
    });
    let gpus = match (create.resources.gpus, from_env) {
        (Some(gpus), _) => gpus,
        (None, Some(gpus)) => gpus?,
        (None, None) => 0,
    };
    Ok(KernelSpec {
        name,
        env,
        path: create.path.filter(|path| !path.is_empty()),
        gpus,
        vram: create.resources.vram.unwrap_or(0),
        memory: create.resources.memory.unwrap_or(0),
    })
}

/// Only `KERNEL_*` passes, as in kernel_gateway; values that a shell would expand are refused, as in Enterprise Gateway.
fn environment(env: BTreeMap<String, Value>) -> Result<BTreeMap<String, String>, Error> {
    let mut passed = BTreeMap::new();
    for (name, value) in env.into_iter().filter(|(name, _)| name.starts_with("KERNEL_")) {
        let Value::String(value) = value else {
            return Err(bad(&name, "its value must be a string"));
        };
        if value.len() > MAX_VALUE {
            return Err(bad(&name, "its value is longer than 4096 bytes"));
        }
        if value.contains(['$', '`', '\n', '\r', '\0']) || name.contains(['=', '\0']) {
            return Err(bad(&name, "it contains a character that is not allowed"));
        }
        passed.insert(name, value);
        if passed.len() > MAX_VARIABLES {
            return Err(Error::BadRequest(format!(
                "more than {MAX_VARIABLES} environment variables"
            )));
        }
    }
    Ok(passed)
}

fn bad(name: &str, why: &str) -> Error {
    Error::BadEnvironment {
        name: name.to_owned(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(body: Value) -> Result<KernelSpec, Error> {
        spec(serde_json::from_value(body).map_err(|error| Error::BadRequest(error.to_string()))?)
    }

    #[test]
    fn an_empty_body_is_the_default_kernel() {
        assert_eq!(parse(json!({})).unwrap().name, "python3");
        assert_eq!(
            parse(json!({"name": "python3", "env": {"PATH": 3}})).unwrap().env.len(),
            0
        );
    }

    #[test]
    fn gpus_are_taken_from_resources_before_the_environment() {
        let env = json!({"KERNEL_GPUS": "2"});
        assert_eq!(parse(json!({"env": env})).unwrap().gpus, 2);
        assert_eq!(parse(json!({"env": env, "resources": {"gpus": 3}})).unwrap().gpus, 3);
        assert!(matches!(
            parse(json!({"env": {"KERNEL_GPUS": "two"}})),
            Err(Error::BadEnvironment { .. })
        ));
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        assert!(matches!(
            parse(json!({"name": "julia"})),
            Err(Error::NoSuchKernelSpec(_))
        ));
        assert!(matches!(parse(json!({"env": []})), Err(Error::BadRequest(_))));
        for value in [json!(3), json!("$HOME"), json!("a\nb"), json!("x".repeat(4_097))] {
            let refused = parse(json!({"env": {"KERNEL_X": value}}));
            assert!(matches!(refused, Err(Error::BadEnvironment { name, .. }) if name == "KERNEL_X"));
        }
    }
}
