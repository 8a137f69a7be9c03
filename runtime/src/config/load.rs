//! Finds, merges and parses the configuration.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};
use toml::{Table, Value};

use super::check::check;
use super::error::{BAD_VALUE, Error, NOT_TOML, Problem};
use super::table::ClusterConfig;

/// The cluster that starts where no `cluster.toml` exists: the file shipped with the program.
pub const BUILT_IN: &str = include_str!("../../../cluster.toml");

/// Where the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    BuiltIn,
}

impl Source {
    /// The file asked for, else `./cluster.toml` where it exists, else [`BUILT_IN`].
    pub fn find(asked: Option<&Path>) -> Self {
        let here = Path::new("cluster.toml");
        match asked {
            Some(path) => Self::File(path.to_path_buf()),
            None if here.is_file() => Self::File(here.to_path_buf()),
            None => Self::BuiltIn,
        }
    }
}

/// Which ports the nodes get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    AsWritten,
    /// The first gateway gets this port, the next ones those that follow.
    GatewaysFrom(u16),
    /// Every address gets a port that is free now: for a cluster that lives only as long as one command.
    Free,
}

/// A valid configuration.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: ClusterConfig,
    /// The same after environment and port changes, as TOML: what the nodes are started with.
    pub effective: String,
}

/// Reads `source`, lets `environment` override keys (`NBOS_CLUSTER__REPLICAS=1`: two underscores between table and key),
/// sets ports, and checks the result.
pub fn load(source: &Source, environment: &BTreeMap<String, String>, ports: Ports) -> Result<Loaded, Error> {
    let (origin, text) = match source {
        Source::File(path) => {
            let origin = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|source| Error::Unreadable {
                path: origin.clone(),
                source,
            })?;
            (origin, text)
        }
        Source::BuiltIn => ("the built-in cluster.toml".to_owned(), BUILT_IN.to_owned()),
    };
    // Parsed alone first: only here is it known which line a mistake is on.
    let _: ClusterConfig = toml::from_str(&text).map_err(|error| refuse(&origin, in_file(&text, &error)))?;

    let mut table = overridden(&text, environment).map_err(|problem| refuse("environment", problem))?;
    set_ports(&mut table, ports).map_err(|problem| refuse(&origin, problem))?;
    let effective = table.to_string();
    let config: ClusterConfig = table.try_into().map_err(|error: toml::de::Error| {
        let place = "an NBOS_… environment variable".to_owned();
        refuse("environment", Problem::of_serde(place, error.message()))
    })?;
    let problems = check(&config);
    if !problems.is_empty() {
        return Err(Error::Invalid { origin, problems });
    }
    Ok(Loaded { config, effective })
}

fn refuse(origin: &str, problem: Problem) -> Error {
    Error::Invalid {
        origin: origin.to_owned(),
        problems: vec![problem],
    }
}

/// Only names with a double underscore address a key, so that `NBOS_TOKEN` and the like stay free for other uses.
fn overridden(text: &str, environment: &BTreeMap<String, String>) -> Result<Table, Problem> {
    let overrides = environment
        .iter()
        .filter(|(name, _)| name.starts_with("NBOS_") && name.contains("__"));
    let overrides = overrides.map(|(name, value)| (name.clone(), value.clone())).collect();
    let environment = Environment::with_prefix("NBOS")
        .prefix_separator("_")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("python.packages")
        .source(Some(overrides));
    Config::builder()
        .add_source(File::from_str(text, FileFormat::Toml))
        .add_source(environment)
        .build()
        .and_then(Config::try_deserialize)
        .map_err(|error| Problem::new(BAD_VALUE, "", error.to_string()))
}

fn set_ports(table: &mut Table, ports: Ports) -> Result<(), Problem> {
    let Some(Value::Array(nodes)) = table.get_mut("node") else {
        return Ok(());
    };
    let nodes = nodes.iter_mut().filter_map(Value::as_table_mut);
    match ports {
        Ports::AsWritten => {}
        Ports::GatewaysFrom(first) => {
            let gateways = nodes.filter_map(|node| node.get_mut("gateway"));
            for (offset, gateway) in (0u32..).zip(gateways) {
                let port = u16::try_from(u32::from(first) + offset)
                    .map_err(|_| Problem::new(BAD_VALUE, "--port", "leaves no port for the last gateway"))?;
                set_port(gateway, port);
            }
        }
        Ports::Free => {
            // All are held until the last one is chosen, so that no two nodes get the same.
            let mut held = Vec::new();
            for node in nodes {
                for key in ["mesh", "gateway"] {
                    let Some(value) = node.get_mut(key) else { continue };
                    let Some(address) = parsed(value) else { continue };
                    let free = TcpListener::bind((address.ip(), 0));
                    let free = free.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
                    let (port, listener) = free.map_err(|error| {
                        Problem::new(BAD_VALUE, key, format!("no free port on {}: {error}", address.ip()))
                    })?;
                    held.push(listener);
                    set_port(value, port);
                }
            }
        }
    }
    Ok(())
}

fn set_port(value: &mut Value, port: u16) {
    if let Some(mut address) = parsed(value) {
        address.set_port(port);
        *value = Value::String(address.to_string());
    }
}

fn parsed(value: &Value) -> Option<SocketAddr> {
    value.as_str()?.parse().ok()
}

fn in_file(text: &str, error: &toml::de::Error) -> Problem {
    let place = error.span().map(|span| place_of(text, span)).unwrap_or_default();
    let is_toml = toml::from_str::<Table>(text).is_ok();
    match is_toml {
        true => Problem::of_serde(place, error.message()),
        false => Problem::new(NOT_TOML, place, format!("not valid TOML: {}", error.message())),
    }
}

/// Table header, key and line of a position.
fn place_of(text: &str, span: Range<usize>) -> String {
    let start = span.start.min(text.len());
    let line_number = text[..start].matches('\n').count();
    let mut header = "top level";
    let mut line = "";
    for current in text.lines().take(line_number + 1) {
        line = current.trim();
        if line.starts_with('[') {
            header = line.split_once('#').map_or(line, |(before, _)| before).trim();
        }
    }
    let key = match line.split_once('=') {
        Some((key, _)) if !line.starts_with(['[', '#']) => format!(", key `{}`", key.trim()),
        _ => String::new(),
    };
    format!("{header}{key}, line {}", line_number + 1)
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
