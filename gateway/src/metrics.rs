//! What the gateway counts, for `GET /metrics`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) connections: Gauge,
    pub(crate) messages_in: Counter,
    pub(crate) messages_out: Counter,
    /// Output messages dropped for slow clients.
    pub(crate) dropped: Counter,
    /// Calls that hand a message to a replica, repetitions included.
    pub(crate) submits: Counter,
    pub(crate) failed_executes: Counter,
    pub(crate) requests: Counter,
    /// Answered with 4xx or 5xx.
    pub(crate) refused_requests: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicI64);

impl Counter {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gauge {
    pub(crate) fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fall(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(0)
    }
}

/// Text in Prometheus' exposition format, version 0.0.4.
#[derive(Default)]
pub(crate) struct Exposition(String);

impl Exposition {
    pub(crate) fn of(metrics: &Metrics) -> Self {
        let mut text = Self::default();
        text.gauge(
            "nbos_gateway_connections",
            "Open WebSockets.",
            metrics.connections.get(),
        );
        let counters = [
            (
                "nbos_gateway_messages_in_total",
                "Messages from clients.",
                &metrics.messages_in,
            ),
            (
                "nbos_gateway_messages_out_total",
                "Messages to clients.",
                &metrics.messages_out,
            ),
            (
                "nbos_gateway_messages_dropped_total",
                "Output dropped for slow clients.",
                &metrics.dropped,
            ),
            (
                "nbos_gateway_submits_total",
                "Messages handed to replicas, repetitions included.",
                &metrics.submits,
            ),
            (
                "nbos_gateway_failed_executes_total",
                "Cells ended by the gateway with an error.",
                &metrics.failed_executes,
            ),
            ("nbos_gateway_http_requests_total", "HTTP requests.", &metrics.requests),
            (
                "nbos_gateway_http_refused_total",
                "HTTP requests answered with 4xx or 5xx.",
                &metrics.refused_requests,
            ),
        ];
        for (name, help, counter) in counters {
            text.head(name, help, "counter");
            text.sample(name, &[], counter.get());
        }
        text
    }

    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "gauge");
        self.sample(name, &[], value);
    }

    pub(crate) fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.0
            .push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let pairs: Vec<String> = labels
            .iter()
            .map(|(key, text)| format!("{key}=\"{}\"", escape(text)))
            .collect();
        let labels = if pairs.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", pairs.join(","))
        };
        self.0.push_str(&format!("{name}{labels} {value}\n"));
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposition_is_in_prometheus_format() {
        let metrics = Metrics::default();
        metrics.connections.rise();
        metrics.submits.count();
        let mut text = Exposition::of(&metrics);
        text.head("up", "Peer.", "gauge");
        text.sample("up", &[("peer", "a\"b")], 1);
        let text = text.finish();
        assert!(text.contains("# TYPE nbos_gateway_connections gauge\nnbos_gateway_connections 1\n"));
        assert!(text.contains("nbos_gateway_submits_total 1\n"));
        assert!(text.ends_with("up{peer=\"a\\\"b\"} 1\n"));
    }
}
