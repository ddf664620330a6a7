//! A server that crashes, asks for a password, or is not there.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use super::cluster::Cluster;
use super::database::Database;
use super::fleet::wait_until_completed;
use super::refusal;
use crate::workbench::{Kept, Workbench};

const FILES: usize = 1_000;
const PASSWORD: &str = "geheim";

#[tokio::test]
async fn a_server_that_crashes_and_comes_back_costs_a_run_nothing() {
    let mut cluster = Cluster::start().unwrap();
    let bench = Workbench::with_files(FILES).at(cluster.url("postgres"));
    let backend = bench.backend().await;
    let run = || bench.command(&["checksum", "tree", "--workers", "2"]).spawn().unwrap();
    let mut runs = [run(), run()];
    let mut said = runs.each_mut().map(|run| BufReader::new(run.stderr.take().unwrap()).lines());
    wait_until_completed(&*backend, &mut runs, FILES / 10).await;

    cluster.stop_immediately().unwrap();
    for said in &mut said {
        let told = said.find(|line| line.as_ref().unwrap().contains("trying again for up to 60 s"));
        assert!(told.is_some(), "a run ended before its server came back");
    }
    cluster.start_again().unwrap();

    for (mut run, said) in runs.into_iter().zip(said) {
        let said: Vec<String> = said.map(Result::unwrap).collect();
        assert!(run.wait().unwrap().success(), "{said:?}");
        assert!(!said.iter().any(|line| line.contains("trying again")), "{said:?}");
    }
    bench.assert_sums_check();
    let Kept { states, .. } = bench.kept().await;
    assert_eq!(states.get("completed"), Some(&FILES), "{states:?}");
    assert_eq!(states.len(), 1, "{states:?}");
}

/// What the commands say of a store that they cannot open: all the same.
fn refusals(url: &str) -> String {
    let bench = Workbench::with_files(1).at(url);
    let commands = [
        &["checksum", "tree"][..],
        &["list"],
        &["stats"],
        &["migrate"],
        &["doctor"],
        &["stats", "--json"],
    ];
    let errors = commands.map(|command| refusal(&bench.ff(command)));
    for error in &errors {
        assert!(!error.contains(PASSWORD), "{error}");
        assert!(error.contains("cannot open the store: "), "{error}");
    }
    let [first, rest @ .., json] = errors;
    assert!(rest.iter().all(|error| *error == first), "{rest:?}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(format!("ff: {}\n", json["error"].as_str().unwrap()), first);
    first
}

#[test]
fn a_wrong_password_is_told_by_the_users_name() {
    // Where the server's own account may read it.
    let rules = tempfile::tempdir().unwrap();
    let file = rules.path().join("pg_hba.conf");
    fs::set_permissions(rules.path(), Permissions::from_mode(0o755)).unwrap();
    fs::write(&file, "host all postgres all trust\nhost all all all scram-sha-256\n").unwrap();
    let cluster = Cluster::start_with(&[("hba_file", file.to_str().unwrap())]).unwrap();
    cluster.psql("postgres", &format!("CREATE ROLE ff LOGIN PASSWORD '{PASSWORD}'")).unwrap();
    let place = format!("127.0.0.1:{}/postgres", cluster.port());
    let error = refusals(&format!("postgres://ff:{PASSWORD}-no@{place}"));
    assert!(error.contains("refuses the user \"ff\"; check the name and the password"), "{error}");
    let right = Workbench::new().at(format!("postgres://ff:{PASSWORD}@{place}"));
    let refused = refusal(&right.ff(&["migrate"]));
    assert!(refused.contains("may not migrate"), "{refused}");
    cluster.psql("postgres", "GRANT CREATE ON SCHEMA public TO ff").unwrap();
    assert!(right.ff(&["migrate"]).status.success());
}

#[test]
fn a_missing_database_is_named() {
    let database = Database::new();
    let error = refusals(&format!("{}_no", database.url()));
    assert!(error.contains("has no database \"ff_cli_"), "{error}");
    assert!(error.contains("createdb"), "{error}");
}

#[test]
fn a_server_that_is_not_there_is_told_at_once() {
    let place = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = refusals(&format!("postgres://ff:{PASSWORD}@{place}/jobs"));
    let expected = format!("the server at {place} cannot be reached");
    assert!(error.contains(&expected) && error.contains("is it running?"), "{error}");
}

#[test]
fn a_url_that_cannot_be_read_is_not_repeated() {
    for url in
        ["postgres://ff:geheim@host:port/jobs", "postgres://ff:geheim@host/jobs?sslmode=never"]
    {
        let error = refusals(url);
        assert!(error.contains("does not name a PostgreSQL database"), "{error}");
    }
}

#[test]
fn an_execution_that_is_not_there_is_told_without_the_url() {
    let database = Database::new();
    let bench = Workbench::new().at(database.url().replace("@", &format!(":{PASSWORD}@")));
    assert!(bench.ff(&["migrate"]).status.success());
    let error = refusal(&bench.ff(&["show", "{fp:0}:550e8400-e29b-41d4-a716-446655440000"]));
    assert!(error.contains("there is no execution") && !error.contains(PASSWORD), "{error}");
}
