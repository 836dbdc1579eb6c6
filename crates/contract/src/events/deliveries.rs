//! What reaches consumers, and in which order.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{
    Way,
    recorder::{Recorder, Seen, events},
};

pub async fn a_lone_consumer_gets_everything_in_order(way: Arc<dyn Way>) {
    let node = way.node();
    let published = events(20, 30);
    let (early, late) = published.split_at(300);
    // What was published before anybody subscribed is not lost.
    node.publish(early).await.unwrap();
    let seen = Seen::default();
    let subscription = node.subscribe(Recorder::new("lone", 0, &seen));
    for some in late.chunks(50) {
        node.publish(some).await.unwrap();
    }
    // A relay that was not sure publishes again.
    node.publish(&late[250..]).await.unwrap();
    seen.until(published.len()).await;
    subscription.stop().await;
    seen.check(&published);
}

pub async fn three_share_and_take_over_from_each_other(way: Arc<dyn Way>) {
    let published = events(30, 40);
    let parts: Vec<_> = published.chunks(300).collect();
    let (relay, seen) = (way.node(), Seen::default());
    let nodes: Vec<_> = (0..4).map(|_| way.node()).collect();
    let join = |member: usize| nodes[member].subscribe(Recorder::new("shared", member, &seen));
    let (one, two, three) = (join(0), join(1), join(2));
    relay.publish(parts[0]).await.unwrap();
    seen.until(300).await;
    // One leaves in order while events come.
    relay.publish(parts[1]).await.unwrap();
    one.stop().await;
    seen.until(600).await;
    // One dies, and one joins.
    relay.publish(parts[2]).await.unwrap();
    drop(two);
    let four = join(3);
    seen.until(900).await;
    // The last of the first three leaves: only the new one can get these.
    three.stop().await;
    let before = seen.all().len();
    relay.publish(parts[3]).await.unwrap();
    seen.until(published.len()).await;
    four.stop().await;
    seen.check(&published);
    let at_the_end: HashSet<_> = seen.all()[before..].iter().map(|(member, _)| *member).collect();
    assert_eq!(at_the_end, HashSet::from([3]), "one that has left was still brought events");
}

pub async fn one_that_fails_does_not_stop_the_others(way: Arc<dyn Way>) {
    let node = way.node();
    let published = events(5, 20);
    let (fine, troubled) = (Seen::default(), Seen::default());
    let recorder = Recorder::new("troubled", 1, &troubled);
    // Each key has trouble, and one of them for longer.
    let trouble = (0..5).map(|key| (format!("key-{key}.7"), if key == 3 { 5 } else { 2 }));
    recorder.refuses.lock().unwrap().extend(trouble);
    // For as long as the others need, whatever it takes.
    recorder.refuses.lock().unwrap().insert("key-3.0".to_owned(), usize::MAX);
    let subscriptions = [node.subscribe(Recorder::new("fine", 0, &fine)), node.subscribe(recorder.clone())];
    node.publish(&published).await.unwrap();
    fine.until(published.len()).await;
    fine.check(&published);
    assert!(troubled.all().iter().all(|(_, id)| !id.starts_with("key-3.")), "it passed what it had refused");
    recorder.refuses.lock().unwrap().remove("key-3.0");
    troubled.until(published.len()).await;
    troubled.check(&published);
    assert!(recorder.refuses.lock().unwrap().values().all(|left| *left == 0), "nothing was refused");
    for subscription in subscriptions {
        subscription.stop().await;
    }
}

pub async fn a_position_survives_a_restart(way: Arc<dyn Way>) {
    let published = events(10, 20);
    let (first, second) = published.split_at(100);
    let seen = Seen::default();
    let node = way.node();
    let subscription = node.subscribe(Recorder::new("resumed", 0, &seen));
    node.publish(first).await.unwrap();
    seen.until(first.len()).await;
    // Long enough for what was consumed to be noted.
    tokio::time::sleep(Duration::from_secs(3)).await;
    subscription.stop().await;
    node.publish(second).await.unwrap();
    let restarted = way.node();
    let before = seen.all().len();
    let subscription = restarted.subscribe(Recorder::new("resumed", 1, &seen));
    seen.until(published.len()).await;
    subscription.stop().await;
    seen.check(&published);
    let again = seen.all().len() - before - second.len();
    assert_eq!(again, 0, "{again} events came again that had been noted as done");
}
