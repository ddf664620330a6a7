use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use expect_test::expect;

use super::*;

fn works() -> Outcome<Server> {
    Ok(Server { url: "started".to_owned(), _owner: None })
}

fn is_missing() -> Outcome<Server> {
    Err("it is missing".into())
}

fn must_not_be_tried() -> Outcome<Server> {
    panic!("it was tried");
}

#[test]
fn a_given_server_is_used_as_it_is() {
    let server = find(Some("given".to_owned()), &[("there", must_not_be_tried)]).unwrap();
    assert_eq!(server.url, "given");
}

#[test]
fn the_first_way_that_succeeds_is_taken() {
    let ways: [Way; 3] = [("here", is_missing), ("there", works), ("far", must_not_be_tried)];
    for given in [None, Some(String::new())] {
        assert_eq!(find(given, &ways).unwrap().url, "started");
    }
    assert_eq!(WAYS.map(|(place, _)| place), ["in Docker", "from this machine's programs"]);
}

#[test]
fn without_a_server_the_ways_to_get_one_are_told() {
    let problem = find(None, &[("here", is_missing), ("there", is_missing)]).unwrap_err();
    expect![[r#"
        the tests need a PostgreSQL server. Do one of these:
          set FF_PG_TEST_URL to the URL of a server
          run Docker
          install PostgreSQL's server, such as with `apt-get install postgresql`
        It could not be started:
          here: it is missing
          there: it is missing"#]]
    .assert_eq(&problem);
}

#[test]
fn a_cluster_survives_crashes_and_is_gone_when_it_is_dropped() {
    let mut cluster =
        Cluster::start_with(&[("max_connections", "20"), ("cluster_name", "it's")]).unwrap();
    let query = |cluster: &Cluster, sql| cluster.psql("postgres", sql);
    assert_eq!(query(&cluster, "SHOW max_connections").unwrap(), "20");
    assert_eq!(query(&cluster, "SHOW cluster_name").unwrap(), "it's");
    query(&cluster, "CREATE TABLE kept AS SELECT 1 AS a, 2 AS b").unwrap();

    cluster.stop_immediately().unwrap();
    query(&cluster, "SELECT 1").unwrap_err();
    cluster.start_again().unwrap();
    cluster.stop_fast().unwrap();
    cluster.start_again().unwrap();

    assert_eq!(query(&cluster, "TABLE kept").unwrap(), "1|2");
    let data = query(&cluster, "SHOW data_directory").unwrap();
    let port = cluster.port();
    drop(cluster);
    assert_gone(&data, port);
}

#[test]
fn a_cluster_is_gone_when_its_process_is_killed() {
    const TO_BE_KILLED: &str = "FF_TEST_TO_BE_KILLED";
    if std::env::var_os(TO_BE_KILLED).is_some() {
        let cluster = Cluster::start().unwrap();
        let data = cluster.psql("postgres", "SHOW data_directory").unwrap();
        println!("\ncluster {} {data}", cluster.port());
        std::process::abort();
    }

    let mut this = Command::new(std::env::current_exe().unwrap());
    this.args(["--exact", "--nocapture"]);
    this.arg("postgres::tests::a_cluster_is_gone_when_its_process_is_killed");
    // The output ends when the last process that holds it has ended, and that is the keeper.
    let output = this.env(TO_BE_KILLED, "1").output().unwrap();

    let output = String::from_utf8(output.stdout).unwrap();
    let line = output.lines().find_map(|line| line.strip_prefix("cluster ")).unwrap();
    let (port, data) = line.split_once(' ').unwrap();
    assert_gone(data, port.parse().unwrap());
}

fn assert_gone(data: &str, port: u16) {
    let folder = Path::new(data).parent().unwrap();
    assert!(!folder.exists(), "{} is there", folder.display());
    TcpStream::connect(("127.0.0.1", port)).unwrap_err();
}
