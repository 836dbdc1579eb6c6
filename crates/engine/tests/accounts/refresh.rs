//! A refresh token used twice: within the grace by one who has lost the answer, later by a thief.

use onsale_engine::accounts::Tokens;

use crate::{EMAIL, HERE, Nodes, PASSWORD, assert_invalid, with_account};

const GRACE_MS: i64 = 10_000;

async fn refresh_on_other(nodes: &Nodes, tokens: &Tokens) -> Tokens {
    nodes.other.accounts.refresh(&tokens.refresh).await.unwrap()
}

#[tokio::test]
async fn the_same_token_gets_the_same_answer_again_on_every_node() {
    let nodes = with_account().await;
    let first = nodes.log_in().await;
    let second = nodes.accounts().refresh(&first.refresh).await.unwrap();
    nodes.clock.advance_ms(GRACE_MS);
    for again in
        [nodes.accounts().refresh(&first.refresh).await.unwrap(), refresh_on_other(&nodes, &first).await]
    {
        assert_eq!(again.refresh, second.refresh);
        assert_eq!(nodes.caller(&again), nodes.caller(&second));
    }
    // And the session goes on.
    nodes.caller(&first);
    refresh_on_other(&nodes, &second).await;
}

#[tokio::test]
async fn of_two_refreshes_at_the_same_moment_both_go_through_in_one_session() {
    let nodes = with_account().await;
    for _ in 0..20 {
        let tokens = nodes.log_in().await;
        let (one, other) = tokio::join!(
            nodes.one.accounts.refresh(&tokens.refresh),
            nodes.other.accounts.refresh(&tokens.refresh)
        );
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.refresh, other.refresh);
        nodes.accounts().refresh(&one.refresh).await.unwrap();
    }
}

#[tokio::test]
async fn a_stolen_token_used_after_the_grace_ends_the_session_and_no_other() {
    let nodes = with_account().await;
    let (first, bystander) = (nodes.log_in().await, nodes.log_in().await);
    let second = nodes.accounts().refresh(&first.refresh).await.unwrap();
    nodes.clock.advance_ms(GRACE_MS + 1);
    assert_invalid(nodes.accounts().refresh(&first.refresh).await);

    assert_invalid(nodes.accounts().authenticate(&first.access));
    assert_invalid(nodes.accounts().authenticate(&second.access));
    assert_invalid(nodes.accounts().refresh(&second.refresh).await);
    nodes.caller(&bystander);
    nodes.accounts().refresh(&bystander.refresh).await.unwrap();
}

/// Whoever has used the next token has got the answer.
#[tokio::test]
async fn a_token_before_the_last_one_ends_the_session_within_the_grace_too() {
    let nodes = with_account().await;
    let first = nodes.log_in().await;
    let second = nodes.accounts().refresh(&first.refresh).await.unwrap();
    let third = nodes.accounts().refresh(&second.refresh).await.unwrap();
    assert_invalid(refresh_result(&nodes, &first).await);
    assert_invalid(refresh_result(&nodes, &third).await);
}

async fn refresh_result(
    nodes: &Nodes,
    tokens: &Tokens,
) -> Result<Tokens, onsale_engine::accounts::AccountError> {
    nodes.other.accounts.refresh(&tokens.refresh).await
}

#[tokio::test]
async fn logging_out_leaves_no_grace() {
    let nodes = with_account().await;
    let first = nodes.log_in().await;
    let second = nodes.accounts().refresh(&first.refresh).await.unwrap();
    nodes.accounts().log_out(nodes.caller(&second)).await.unwrap();
    assert_invalid(refresh_result(&nodes, &first).await);
    assert_invalid(refresh_result(&nodes, &second).await);
}

/// The negative control: without a grace a lost answer costs the session.
#[tokio::test]
async fn without_a_grace_a_lost_answer_ends_the_session() {
    let nodes = Nodes::start_with(|settings| onsale_engine::accounts::AccountSettings {
        refresh_grace_s: 0,
        ..settings
    })
    .await;
    nodes.accounts().register(EMAIL, PASSWORD, "Kim", onsale_domain::user::Role::User).await.unwrap();
    let first = nodes.accounts().log_in(EMAIL, PASSWORD, HERE).await.unwrap();
    let second = nodes.accounts().refresh(&first.refresh).await.unwrap();
    assert_invalid(nodes.accounts().refresh(&first.refresh).await);
    assert_invalid(nodes.accounts().refresh(&second.refresh).await);
}
