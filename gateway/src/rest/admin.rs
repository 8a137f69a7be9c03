//! The cluster's own API: `/api/cluster/…` and `/metrics`.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use futures_util::stream;
use nbos_host::GpuFault;
use nbos_mesh::{NodeName, PeerState};
use nbos_scheduler::Duty;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::{body, model};
use crate::app::App;
use crate::error::Error;
use crate::events::ClusterEvent;
use crate::metrics::Exposition;

/// A standby that is behind applies what it lacks first.
const HANDOVER_WITHIN: Duration = Duration::from_secs(60);

/// A restarted child has 30 s to come up.
const RESTART_WITHIN: Duration = Duration::from_secs(35);

/// A comment sent to a silent listener, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Handover {
    to: Option<String>,
}

/// What takes longer is given up by the scheduler after ten minutes.
const MIGRATE_WITHIN: Duration = Duration::from_secs(660);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Migrate {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Drain {
    undo: bool,
}

#[derive(Debug, Deserialize)]
struct Restart {
    path: String,
}

#[derive(Debug, Deserialize)]
struct Fault {
    fault: GpuFault,
}

pub(super) async fn tree(app: web::Data<App>) -> HttpResponse {
    HttpResponse::Ok().json(app.cluster.tree().await)
}

pub(super) async fn hosts(app: web::Data<App>) -> HttpResponse {
    HttpResponse::Ok().json(app.cluster.hosts().await)
}

pub(super) async fn scaling(app: web::Data<App>) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().json(app.cluster.scaling().await?))
}

pub(super) async fn kernels(app: web::Data<App>) -> HttpResponse {
    let view = app.cluster.view();
    let infos = app.cluster.infos(view.kernels.values()).await;
    let records = view.kernels.iter().map(|(id, record)| {
        let infos = infos.get(id).map(Vec::as_slice).unwrap_or_default();
        model::kernel_record(record, infos)
    });
    HttpResponse::Ok().json(records.collect::<Vec<Value>>())
}

/// Unlike Jupyter's view of it, a kernel that is failing over can be looked at here.
pub(super) async fn kernel(path: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse, Error> {
    let record = app.cluster.kernel(&path).await?;
    let infos = app
        .cluster
        .infos([&record])
        .await
        .remove(&record.id)
        .unwrap_or_default();
    Ok(HttpResponse::Ok().json(model::kernel_record(&record, &infos)))
}

pub(super) async fn handover(
    path: web::Path<String>,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    let Handover { to } = body::json(payload, &app).await?;
    let record = app.cluster.kernel(&path).await?;
    let to = to.map(NodeName::from);
    app.cluster.hand_over(&record, to.as_ref(), HANDOVER_WITHIN).await?;
    kernel(path, app).await
}

pub(super) async fn migrate(
    path: web::Path<String>,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    let Migrate { from, to } = body::json(payload, &app).await?;
    let record = app.cluster.kernel(&path).await?;
    let (from, to) = (from.map(NodeName::from), to.map(NodeName::from));
    app.cluster.migrate(record.id, from, to, MIGRATE_WITHIN).await?;
    kernel(path, app).await
}

pub(super) async fn drain(
    path: web::Path<String>,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    let Drain { undo } = body::json(payload, &app).await?;
    let duty = if undo { Duty::Serving } else { Duty::Draining };
    let left = app.cluster.drain(&path, duty).await?;
    Ok(HttpResponse::Ok().json(model::drained(&path, duty, &left)))
}

pub(super) async fn restart(app: web::Data<App>, payload: web::Payload) -> Result<HttpResponse, Error> {
    let Restart { path } = body::json(payload, &app).await?;
    app.cluster.restart(&path, RESTART_WITHIN).await?;
    Ok(HttpResponse::Ok().json(json!({"restarted": path})))
}

/// For tests of what depends on GPUs: simulated ones only.
pub(super) async fn fault(
    path: web::Path<(String, u32)>,
    app: web::Data<App>,
    payload: web::Payload,
) -> Result<HttpResponse, Error> {
    let (host, gpu) = path.into_inner();
    let Fault { fault } = body::json(payload, &app).await?;
    app.cluster.fault(&host, gpu, fault).await?;
    Ok(HttpResponse::Ok().json(json!({"host": host, "gpu": gpu, "fault": fault})))
}

pub(super) async fn events(app: web::Data<App>) -> HttpResponse {
    let listener = app.feed.listen();
    let events = stream::unfold(listener, |mut listener| async move {
        let text = match tokio::time::timeout(KEEP_ALIVE, listener.recv()).await {
            Ok(Ok(event)) => event.to_sse(),
            Ok(Err(RecvError::Lagged(count))) => ClusterEvent::missed(count).to_sse(),
            Ok(Err(RecvError::Closed)) => return None,
            Err(_) => ": still here\n\n".to_owned(),
        };
        Some((Ok::<_, Infallible>(web::Bytes::from(text)), listener))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-cache"))
        .streaming(events)
}

pub(super) async fn metrics(app: web::Data<App>) -> HttpResponse {
    let view = app.cluster.view();
    let mut text = Exposition::of(&app.metrics);
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    text.gauge("nbos_kernels", "Kernels of the cluster.", count(view.kernels.len()));
    text.gauge("nbos_hosts", "Registered hosts.", count(view.hosts.len()));
    text.gauge(
        "nbos_gateway_bridges",
        "Kernels with clients on this gateway.",
        count(app.bridges.registry().all().len()),
    );
    text.head("nbos_replicas", "Replicas placed on a host.", "gauge");
    for (host, replicas) in view.replicas_by_host() {
        text.sample("nbos_replicas", &[("host", host.as_str())], count(replicas));
    }
    text.head("nbos_node_up", "Whether this node can count on another.", "gauge");
    for node in app.cluster.nodes() {
        let up = u64::from(matches!(app.cluster.state_of(&node), PeerState::Up { .. }));
        text.sample("nbos_node_up", &[("node", node.as_str())], up);
    }
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text.finish())
}
