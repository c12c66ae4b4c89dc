//! One buyer takes no more of an event than its terms allow, however many orders they send at once.

use boxoffice_e2e::{BoxOffice, Card, Verdict, story::Body};

#[tokio::test]
async fn an_order_over_a_limit_is_refused_with_the_limit_and_paying_makes_room() -> Verdict {
    let house = BoxOffice::open().await?;
    let body = Body::show(40).with("maxPerOrder", 3).with("maxHeldPerBuyer", 4).with("maxPerBuyer", 6);
    let show = house.show_with(&body).await?;

    let problem = show.order(4).sent().await?.refusal(409, "PURCHASE_LIMIT_EXCEEDED")?;
    assert!(problem.detail.contains("at most 3"), "{}", problem.detail);
    let paid = show.order(3).booked().await?;
    let problem = show.order(2).sent().await?.refusal(409, "PURCHASE_LIMIT_EXCEEDED")?;
    assert!(
        problem.detail.contains("3 unpaid seats") && problem.detail.contains("at the latest"),
        "{}",
        problem.detail
    );
    paid.pay(Card::Good).await?.with_status(200)?;
    paid.until_confirmed().await?;

    let second = show.order(3).paid_with(Card::Good).booked().await?;
    second.until_confirmed().await?;
    let problem = show.order(1).sent().await?.refusal(409, "PURCHASE_LIMIT_EXCEEDED")?;
    assert!(problem.detail.contains("one buyer may have 6"), "{}", problem.detail);

    second.cancel().await?.with_status(202)?;
    second.until_cancelled("CANCELLED_BY_BUYER").await?;
    show.order(3).booked().await?;
    Ok(())
}
