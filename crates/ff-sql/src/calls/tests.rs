use super::*;

type Waiting = oneshot::Receiver<Answer<u32>>;

fn add(calls: &Calls<u32, u32>, items: &[(u32, usize)]) -> (Vec<Waiting>, Vec<Turn<u32, u32>>) {
    let (mut answers, mut turns) = (Vec::new(), Vec::new());
    for (item, bytes) in items.iter().copied() {
        let (answer, turn) = calls.add(item, bytes);
        answers.push(answer);
        turns.extend(turn);
    }
    (answers, turns)
}

fn batches(turn: &mut Turn<u32, u32>) -> Vec<Vec<u32>> {
    std::iter::from_fn(|| turn.next_batch()).map(|batch| batch.items().to_vec()).collect()
}

#[test]
fn a_batch_is_bounded_in_calls_and_in_bytes() {
    let calls = Calls::new(1);
    let items: Vec<_> = (0..600).map(|item| (item, 1)).collect();
    let (_answers, mut turns) = add(&calls, &items);
    let sizes: Vec<_> = batches(&mut turns[0]).iter().map(Vec::len).collect();
    assert_eq!(sizes, [256, 256, 88]);

    let items = [(2, 5), (4, BATCH_BYTES), (6, 5), (8, 2 * BATCH_BYTES), (10, 5)];
    let (_answers, mut turns) = add(&calls, &items);
    assert_eq!(batches(&mut turns[0]), [vec![2], vec![4], vec![6], vec![8], vec![10]]);
}

#[test]
fn a_turn_takes_what_waits_and_leaves_out_whose_caller_has_gone() {
    let calls = Calls::new(1);
    let (mut answers, mut turns) = add(&calls, &[(2, 1), (4, 1), (6, 1)]);
    assert_eq!(turns.len(), 1, "the others wait for the first one's turn");
    drop(answers.remove(1));
    assert_eq!(batches(&mut turns[0]), [[2, 6]]);
    assert_eq!(add(&calls, &[(8, 1)]).1.len(), 1, "that turn has ended");
}

#[test]
fn so_many_turns_are_under_way_at_once() {
    let calls = Calls::new(2);
    let (_answers, turns) = add(&calls, &[(2, 1), (4, 1), (6, 1)]);
    assert_eq!(turns.len(), 2);
}

#[test]
fn a_turn_for_one_batch_ends_with_it_unless_there_is_more() {
    let calls = Calls::new(1);
    let items: Vec<_> = (0..300).map(|item| (item, 1)).collect();
    let (_answers, mut turns) = add(&calls, &items);

    let (batch, turn) = turns.remove(0).only_batch();
    assert_eq!(batch.unwrap().items().len(), 256);
    let (_answer, turn_of_next) = calls.add(300, 1);
    assert!(turn_of_next.is_none(), "the turn goes on");

    let (batch, turn) = turn.unwrap().only_batch();
    assert_eq!(batch.unwrap().items().len(), 45);
    assert!(turn.is_none());
    assert!(calls.add(301, 1).1.is_some(), "a turn of its own");
}

#[test]
fn those_that_have_waited_for_long_enough_are_refused() {
    let calls = Calls::new(1);
    let (mut answers, mut turns) = add(&calls, &[(2, 1), (4, 1)]);
    let since = Instant::now();
    while Instant::now() == since {}
    let (_answer, _) = calls.add(6, 1);

    let turn = turns.remove(0).refuse(since, EngineError::execution_not_found);
    assert!(answers.iter_mut().all(|answer| answer.try_recv().unwrap().is_err()));
    assert_eq!(batches(&mut turn.unwrap()), [[6]], "it has not waited for so long");

    let (mut answers, mut turns) = add(&calls, &[(8, 1)]);
    let refused = turns.remove(0).refuse(Instant::now(), EngineError::execution_not_found);
    assert!(refused.is_none() && answers[0].try_recv().unwrap().is_err());
    assert!(calls.add(10, 1).1.is_some(), "that turn has ended");
}

#[test]
fn each_call_of_a_batch_has_its_answer() {
    let calls = Calls::new(1);
    let (mut answers, mut turns) = add(&calls, &[(2, 1), (4, 1)]);
    let batch = turns[0].next_batch().unwrap();
    assert!(!batch.is_single());
    let replies = batch.into_replies();
    assert!(replies.is_awaited());
    replies.answer(vec![Ok(20), Err(EngineError::execution_not_found())]);
    assert_eq!(answers[0].try_recv().unwrap().unwrap(), 20);
    assert!(matches!(answers[1].try_recv().unwrap(), Err(EngineError::NotFound { .. })));
}

#[test]
fn a_divided_batch_is_as_many_and_a_refused_one_tells_all() {
    let calls = Calls::new(1);
    let (mut answers, mut turns) = add(&calls, &[(2, 1), (4, 1)]);
    let mut divided: Vec<_> = turns[0].next_batch().unwrap().divide().collect();
    assert_eq!(divided.iter().map(Batch::items).collect::<Vec<_>>(), [[2], [4]]);
    divided.remove(1).into_replies().refuse(EngineError::execution_not_found);
    drop(answers.remove(0));
    assert!(!divided.remove(0).into_replies().is_awaited());
    assert!(answers[0].try_recv().unwrap().is_err());
}

#[test]
fn a_turn_that_is_dropped_leaves_no_caller_waiting() {
    let calls = Calls::new(1);
    let (mut answers, turns) = add(&calls, &[(2, 1), (4, 1)]);
    drop(turns);
    let is_closed = |answer: &mut Waiting| {
        matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed))
    };
    assert!(answers.iter_mut().all(is_closed));
    assert_eq!(add(&calls, &[(6, 1)]).1.len(), 1);
}
