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

#[cfg(not(feature = "postgres"))]
#[tokio::test]
async fn a_backend_that_is_not_compiled_in_names_its_feature() {
    for url in ["postgres://localhost/jobs", "postgresql://localhost/jobs"] {
        let (kind, detail) = refusal(url).await;
        assert_eq!(kind, OpenKind::BackendNotCompiledIn);
        assert!(detail.contains("add the feature `postgres`"), "{detail}");
    }
}
