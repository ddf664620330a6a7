//! What the server tells of its plans, by its module `auto_explain`.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

/// Tables that stay small: what is in them are lanes, namespaces and the workers that live.
const SMALL: &[&str] =
    &["ff_lane", "ff_namespace", "ff_migration_annotation", "ff_worker_registry"];

/// What the server has told of its plans.
#[derive(Clone, Default)]
pub(crate) struct Plans(Arc<Mutex<Vec<Value>>>);

impl Plans {
    /// The plans that it has told since the last call.
    pub(crate) fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.0 = value.to_owned();
        }
    }
}

impl Subscriber for Plans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::postgres::notice"
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        if let Some((_, plan)) = message.0.split_once("plan:\n") {
            self.0.lock().unwrap().push(serde_json::from_str(plan).unwrap());
        }
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// What a statement reads of the tables that grow.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    pub(crate) indexes: BTreeSet<String>,
    pub(crate) scanned: BTreeSet<String>,
    pub(crate) rows: u64,
}

impl Reads {
    pub(crate) fn add(&mut self, node: &Value) {
        let number = |key: &str| node[key].as_f64().unwrap_or(0.0);
        let loops = number("Actual Loops");
        let table = node["Relation Name"].as_str();
        let kind = node["Node Type"].as_str().unwrap_or_default();
        let is_read = kind.ends_with("Scan") && loops > 0.0;
        if let Some(table) = table.filter(|table| is_read && !SMALL.contains(table)) {
            match node["Index Name"].as_str() {
                Some(index) => drop(self.indexes.insert(index.to_owned())),
                None => drop(self.scanned.insert(format!("{kind} of {table}"))),
            }
            let rows = number("Actual Rows")
                + number("Rows Removed by Filter")
                + number("Rows Removed by Index Recheck");
            self.rows += (rows * loops).round() as u64;
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.add(child);
        }
    }
}

/// The statement files by their texts.
pub(crate) fn statement_files() -> HashMap<String, String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let mut files = HashMap::new();
    for area in std::fs::read_dir(root).unwrap() {
        for file in std::fs::read_dir(area.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let area = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
            let name = format!("{area}/{}", path.file_stem().unwrap().to_str().unwrap());
            files.insert(std::fs::read_to_string(&path).unwrap().trim().to_owned(), name);
        }
    }
    files
}

/// A URL whose sessions tell their plans.
pub(crate) fn telling(url: &str) -> String {
    let settings = [
        "session_preload_libraries=auto_explain",
        "auto_explain.log_min_duration=0",
        "auto_explain.log_analyze=on",
        "auto_explain.log_timing=off",
        "auto_explain.log_format=json",
        "auto_explain.log_level=notice",
    ];
    let settings = settings.map(|setting| format!("-c%20{}", setting.replace('=', "%3D")));
    format!("{url}{}options={}", if url.contains('?') { "&" } else { "?" }, settings.join("%20"))
}
