//! A subscriber that catches up.

use ff_core::contracts::{EventStream, READ_EVENTS_MAX_LIMIT};
use ff_core::engine_error::EngineError;

use crate::Bench;

impl Bench {
    /// Reads a stream from its beginning to its end, page by page, and returns how many events there were.
    ///
    /// # Errors
    /// As the backend.
    pub async fn catch_up(&self, stream: EventStream) -> Result<u64, EngineError> {
        let (mut cursor, mut read) = (None, 0);
        loop {
            let page = self.backend.read_events(stream, cursor, READ_EVENTS_MAX_LIMIT).await?;
            read += page.len() as u64;
            match page.last() {
                Some(last) if page.len() as u64 == u64::from(READ_EVENTS_MAX_LIMIT) => {
                    cursor = Some(last.cursor);
                }
                _ => return Ok(read),
            }
        }
    }
}
