use ff_core::contracts::{ListWorkersArgs, WorkerInfo};
use ff_core::types::{Namespace, WorkerInstanceId};

use super::registration;
use crate::assertions::assert_invalid;
use crate::cx::{Cx, ENOUGH};

async fn register_in(cx: &Cx, namespace: &str, instance: &str) {
    let mut args = registration(cx, instance);
    args.namespace = Namespace::new(namespace);
    cx.backend.register_worker(args).await.unwrap();
}

fn name(info: &WorkerInfo) -> String {
    format!("{} {}", info.worker_instance_id, info.namespace)
}

/// Every page, as names.
async fn pages(cx: &Cx, namespace: Option<Namespace>, limit: u32) -> Vec<Vec<String>> {
    let mut args = ListWorkersArgs::new();
    (args.namespace, args.limit) = (namespace, Some(limit));
    let mut pages = Vec::new();
    loop {
        let page = cx.backend.list_workers(args.clone()).await.unwrap();
        let is_full = page.entries.len() >= limit as usize;
        assert_eq!(page.cursor.is_some(), is_full, "{page:?}");
        pages.push(page.entries.iter().map(name).collect());
        assert!(pages.len() < ENOUGH, "there is no end of pages");
        let Some(cursor) = page.cursor else { return pages };
        args.after = Some(cursor);
    }
}

/// WORK-5. Workers are listed by instance and then by namespace, bytewise.
pub(crate) async fn workers_are_listed_by_instance_and_namespace(cx: Cx) {
    for (namespace, instance) in
        [("b", "w/2"), ("a", "w/2"), ("B", "w/2"), ("b", "w/10"), ("a", "W/3")]
    {
        register_in(&cx, namespace, instance).await;
    }

    let listed = pages(&cx, None, 100).await.remove(0);

    assert_eq!(listed, ["W/3 a", "w/10 b", "w/2 B", "w/2 a", "w/2 b"]);
}

/// WORK-5. A page of all namespaces is never cut between two rows of one instance.
pub(crate) async fn a_page_is_never_cut_within_an_instance(cx: Cx) {
    for namespace in ["a", "b", "c"] {
        register_in(&cx, namespace, "w/1").await;
        register_in(&cx, namespace, "w/2").await;
    }
    register_in(&cx, "a", "w/3").await;

    let one = pages(&cx, None, 1).await;
    let four = pages(&cx, None, 4).await;

    let first = vec!["w/1 a".to_owned(), "w/1 b".to_owned(), "w/1 c".to_owned()];
    let second = vec!["w/2 a".to_owned(), "w/2 b".to_owned(), "w/2 c".to_owned()];
    let third = vec!["w/3 a".to_owned()];
    assert_eq!(one, [first.clone(), second.clone(), third.clone(), Vec::new()]);
    assert_eq!(four, [[first, second].concat(), third]);
}

/// WORK-5. A list of one namespace has its workers only, page by page.
pub(crate) async fn a_namespaces_workers_are_listed_in_pages(cx: Cx) {
    for number in 1..=5 {
        register_in(&cx, "a", &format!("w/{number}")).await;
        register_in(&cx, "b", &format!("w/{number}")).await;
    }

    let listed = pages(&cx, Some(Namespace::new("b")), 2).await;

    assert_eq!(listed, [vec!["w/1 b", "w/2 b"], vec!["w/3 b", "w/4 b"], vec!["w/5 b"]]);
}

/// WORK-5. A cursor need not be a worker, and a page has one row or more.
pub(crate) async fn a_list_of_workers_begins_after_any_text(cx: Cx) {
    register_in(&cx, "a", "w/1").await;
    register_in(&cx, "a", "w/3").await;
    let mut args = ListWorkersArgs::new();
    args.after = Some(WorkerInstanceId::new("w/2"));

    let page = cx.backend.list_workers(args.clone()).await.unwrap();

    assert_eq!(page.entries.iter().map(name).collect::<Vec<_>>(), ["w/3 a"]);
    assert_eq!(page.cursor, None);
    args.limit = Some(0);
    assert_invalid(cx.backend.list_workers(args.clone()).await.unwrap_err(), "limit");
    args.after = Some(WorkerInstanceId::new("w/\0"));
    assert_invalid(cx.backend.list_workers(args).await.unwrap_err(), "after");
}
