use ff_core::rules::input::DEFAULT_PAYLOAD_MAX_BYTES;
use ff_runtime::{ClientError, HandlerError, Job, Submission};

use crate::common::{Rig, in_time, retries, start};

async fn message(rig: &Rig, submission: Submission) -> String {
    let id = rig.submit(submission.retry(retries(0))).await;
    let error = in_time(rig.client.result::<String>(&id, None)).await.unwrap_err();
    let ClientError::Failed { message, .. } = error else { panic!("{error}") };
    message
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_too_large_fails_the_execution_for_good() {
    async fn large(_: Job<()>, (): ()) -> Result<String, HandlerError> {
        Ok("x".repeat(DEFAULT_PAYLOAD_MAX_BYTES))
    }
    let rig = Rig::new();
    let worker = start(rig.worker().handler("large", large).build().unwrap());

    let message = message(&rig, Submission::new("large", &()).unwrap()).await;

    assert!(message.contains("1048578 bytes"), "{message}");
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_long_is_cut_between_characters() {
    async fn wordy(_: Job<()>, (): ()) -> Result<String, HandlerError> {
        Err(HandlerError::transient(format!("x{}", "ä".repeat(DEFAULT_PAYLOAD_MAX_BYTES))))
    }
    let rig = Rig::new();
    let worker = start(rig.worker().handler("wordy", wordy).build().unwrap());

    let message = message(&rig, Submission::new("wordy", &()).unwrap()).await;

    assert_eq!(message.len(), 64 * 1024 - 1);
    worker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_a_result_too() {
    async fn nothing(_: Job<()>, (): ()) -> Result<Option<u8>, HandlerError> {
        Ok(None)
    }
    let rig = Rig::new();
    let worker = start(rig.worker().handler("nothing", nothing).build().unwrap());
    let id = rig.submit(Submission::new("nothing", &()).unwrap()).await;

    assert_eq!(in_time(rig.client.result::<Option<u8>>(&id, None)).await.unwrap(), None);
    worker.stop().await;
}
