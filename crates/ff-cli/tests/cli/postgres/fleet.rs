//! Several processes share the work, and some of them are killed.

use std::os::unix::process::ExitStatusExt;
use std::process::Child;

use flowfabric::core::contracts::ExecutionFilter;
use flowfabric::core::engine_backend::EngineBackend;
use flowfabric::core::state::PublicState;

use super::database::Database;
use crate::kill::Endless;
use crate::workbench::{Kept, Workbench, text};

const FILES: usize = 1_000;
/// Executions that complete between two kills.
const STEP: usize = 100;
const COMMAND: [&str; 4] = ["checksum", "tree", "--workers", "2"];

pub(super) async fn completed(backend: &dyn EngineBackend) -> usize {
    let public_state = Some(PublicState::Completed);
    let filter = ExecutionFilter { public_state, ..ExecutionFilter::default() };
    let counts = backend.count_executions(&filter).await.unwrap();
    counts.iter().map(|count| usize::try_from(count.count).unwrap()).sum()
}

/// Waits until this many executions have completed; the processes go on meanwhile.
pub(super) async fn wait_until_completed(
    backend: &dyn EngineBackend,
    processes: &mut [Child],
    wanted: usize,
) -> usize {
    loop {
        let completed = completed(backend).await;
        if completed >= wanted {
            return completed;
        }
        for process in &mut *processes {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "a process ended after {completed} completions: {ended:?}");
        }
    }
}

fn kill(process: &mut Child) {
    process.kill().unwrap();
    assert!(process.wait().unwrap().signal().is_some());
}

#[tokio::test]
async fn processes_that_are_killed_again_and_again_lose_nothing_and_finish_nothing_twice() {
    let database = Database::new();
    let bench = Workbench::with_files(FILES).at(database.url());
    let endless = Endless::new(&bench);
    let backend = bench.backend().await;
    let mut processes = [(); 3].map(|()| bench.spawn(&COMMAND));
    let (mut done, mut kills) = (0, 0);
    while done < FILES {
        done = wait_until_completed(&*backend, &mut processes, FILES.min(done + STEP)).await;
        let victim = &mut processes[kills % 3];
        kill(victim);
        *victim = bench.spawn(&COMMAND);
        kills += 1;
    }
    processes.iter_mut().for_each(kill);
    endless.remove();

    let last = [(); 3].map(|()| bench.command(&COMMAND).spawn().unwrap());

    for process in last {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    bench.assert_sums_check();
    assert_eq!(text(&bench.sums()).lines().count(), FILES);
    let Kept { states, .. } = bench.kept().await;
    assert_eq!(states.get("completed"), Some(&FILES), "{states:?}");
    assert!(kills > 2, "{kills}");
}
