//! `connect` picks the backend by the URL.

#![expect(clippy::panic, reason = "a test fails by panicking")]
use flowfabric::core::engine_error::{EngineError, OpenKind};

async fn refusal(url: &str) -> (OpenKind, String) {
    match flowfabric::connect(url).await {
        Err(EngineError::Open { kind, detail }) => (kind, detail),
        Err(other) => panic!("{url}: {other:?}"),
        Ok(_) => panic!("{url} was opened"),
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn paths_and_sqlite_urls_open_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.db");
    let urls = [path.display().to_string(), format!("sqlite:{}", path.display())];
    for url in urls {
        let backend = flowfabric::connect(&url).await.unwrap();
        assert_eq!(backend.backend_label(), "sqlite", "{url}");
    }
    assert_eq!(flowfabric::connect(":memory:").await.unwrap().backend_label(), "sqlite");
}

#[tokio::test]
async fn an_unknown_scheme_names_the_known_ones() {
    let (kind, detail) = refusal("mysql://localhost/jobs").await;
    assert_eq!(kind, OpenKind::UnknownScheme);
    assert!(detail.contains("mysql") && detail.contains("sqlite:"), "{detail}");
}

#[tokio::test]
async fn what_is_not_the_schemes_backend_is_refused_alike_by_every_function() {
    for refused in [
        flowfabric::migrate("mysql://localhost/jobs").await.map(|_| ()),
        flowfabric::examine("mysql://localhost/jobs").await.map(|_| ()),
    ] {
        let kind = OpenKind::UnknownScheme;
        assert!(matches!(refused, Err(EngineError::Open { kind: found, .. }) if found == kind));
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_store_is_migrated_and_examined_by_its_url() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("jobs.db").display());
    assert_eq!(flowfabric::migrate(&url).await.unwrap().before, None);
    assert!(flowfabric::migrate(&url).await.unwrap().was_up_to_date());
    let examination = flowfabric::examine(&url).await.unwrap();
    assert!(examination.server.starts_with("SQLite"), "{}", examination.server);
    assert_eq!(examination.findings, []);
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgres_urls_reach_for_a_server() {
    for scheme in ["postgres", "postgresql"] {
        // Nothing may listen on the first port.
        let (kind, detail) = refusal(&format!("{scheme}://ff:secret@127.0.0.1:1/jobs")).await;
        assert_eq!(kind, OpenKind::Unreachable);
        assert!(detail.contains("127.0.0.1:1"), "{detail}");
        assert!(!detail.contains("secret"), "{detail}");
    }
}

#[cfg(not(all(feature = "sqlite", feature = "postgres")))]
#[tokio::test]
async fn a_backend_that_is_not_compiled_in_names_its_feature() {
    #[cfg(not(feature = "sqlite"))]
    let (urls, feature) = (["jobs.db", "sqlite:jobs.db"], "add the feature `sqlite`");
    #[cfg(all(feature = "sqlite", not(feature = "postgres")))]
    let (urls, feature) = (
        ["postgres://localhost/jobs", "postgresql://localhost/jobs"],
        "add the feature `postgres`",
    );
    for url in urls {
        let (kind, detail) = refusal(url).await;
        assert_eq!(kind, OpenKind::BackendNotCompiledIn);
        assert!(detail.contains(feature), "{detail}");
    }
}
