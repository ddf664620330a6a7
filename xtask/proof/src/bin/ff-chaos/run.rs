//! A run on one backend, from an empty store to the audit.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::arena::{self, Arena, Site};
use crate::audit;
use crate::fleet::Fleet;
use crate::namespace::Disks;
use crate::report::Report;
use crate::storm::Storm;
use crate::tally::Tally;
use crate::{Backend, Outcome};

/// Looks after which an execution that has not ended never will.
const LOOKS: usize = 1_200;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// What is asked for.
pub(crate) struct Plan {
    pub(crate) backend: Backend,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) disks: Disks,
}

/// Runs, reports, and says whether everything is as it must be.
pub(crate) fn run(plan: &Plan) -> Outcome<bool> {
    let folder = tempfile::Builder::new().prefix("ff-chaos-").tempdir()?;
    // The server runs as somebody else.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let played = runtime.block_on(async {
        tokio::select! {
            played = play(plan, folder.path()) => played,
            _ = tokio::signal::ctrl_c() => Err("it was interrupted".into()),
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
    match &played {
        Ok(true) => {}
        _ => println!("  kept         {}", folder.keep().display()),
    }
    played
}

async fn play(plan: &Plan, folder: &Path) -> Outcome<bool> {
    let site = Site { folder, seed: plan.seed, disks: &plan.disks };
    let arena = arena::build(plan.backend, &site).await?;
    let tally = Arc::new(Tally::new(folder)?);
    let fleet = Arc::new(Fleet::new(folder, arena.nodes(), Arc::clone(&tally))?);
    let is_sound = judge(plan, (&arena, &fleet, &tally)).await;
    if !matches!(is_sound, Ok(true)) {
        arena.keep(folder).await?;
    }
    is_sound
}

async fn judge(
    plan: &Plan,
    (arena, fleet, tally): (&Arc<dyn Arena>, &Arc<Fleet>, &Arc<Tally>),
) -> Outcome<bool> {
    fleet.start_all().await?;
    let storm = Storm::new(Arc::clone(arena), Arc::clone(fleet), Arc::clone(tally));
    let lasted = storm.rage(Duration::from_secs(plan.seconds), plan.seed).await?;
    arena.restore().await?;
    let settled = settle(arena, fleet).await;
    fleet.stop().await;
    if let Err(problem) = settled {
        tally.problem(problem.to_string());
    }
    let audit = audit::audit(arena, &fleet.read_ledgers()?).await?;
    let left_out = arena.left_out();
    let report = Report { plan, lasted, counts: tally.counts(), left_out, audit };
    println!("{report}");
    Ok(report.is_sound())
}

/// Waits until everything that was submitted has ended.
async fn settle(arena: &Arc<dyn Arena>, fleet: &Fleet) -> Outcome<()> {
    fleet.stop_submitting().await?;
    for _ in 0..LOOKS {
        if arena.count_open().await? == 0 {
            return Ok(());
        }
        fleet.look().await?;
        sleep(BETWEEN_LOOKS).await;
    }
    Err("not everything ends".into())
}
