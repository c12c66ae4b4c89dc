//! `docs/authorization.md`, call by call: every route and every caller of its table, against the running stack.
//!
//! Each route is called about something real that is the owner's, with a request that the owner could send. Who may call is served, and may be refused for
//! reasons of other kinds only; who may not gets exactly the 401 or 403 of the table, as a problem. A route of the product without a call
//! here fails.
//!
//! The one program that links a part of the product: its table of routes, to be sure that none is missing, and its signer of tokens, to spoil
//! tokens in one way each.

mod calls;
mod table;
mod tokens;

use boxoffice_e2e::{BoxOffice, Failure, Outcome, Verdict, ensure, http::Reply};
use boxoffice_runtime::{
    auth::Access,
    routes::{ROUTES, Route},
};
use calls::Stage;
use std::{collections::BTreeSet, rc::Rc, sync::Arc};
use table::{Column, Gets, Table};
use tokens::{Bad, Forge};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, LocalSet},
};

/// So many routes at a time: the machine has other things to do than to wait.
const ROUTES_AT_ONCE: usize = 6;

#[tokio::test]
async fn each_caller_gets_what_the_table_says() -> Verdict {
    let wrong = LocalSet::new().run_until(calls_that_go_wrong()).await?;
    ensure!(wrong.is_empty(), "{} calls went otherwise than the table says:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

async fn calls_that_go_wrong() -> Outcome<Vec<String>> {
    let table = Rc::new(Table::of_this_checkout()?);
    let known: BTreeSet<String> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let documented: BTreeSet<String> = table.routes().map(str::to_owned).collect();
    ensure!(known == documented, "not the same routes: {:?}", known.symmetric_difference(&documented));

    let stage = Rc::new(Stage::set().await?);
    let (turns, mut calls) = (Arc::new(Semaphore::new(ROUTES_AT_ONCE)), JoinSet::new());
    for route in ROUTES {
        let (stage, table, turns) = (stage.clone(), table.clone(), turns.clone());
        calls.spawn_local(async move {
            let _turn = turns.acquire_owned().await;
            let name = format!("{} {}", route.method, route.path);
            every_caller(&stage, &table, route).await.unwrap_or_else(|failure| vec![format!("{name}: {failure}")])
        });
    }
    Ok(calls.join_all().await.into_iter().flatten().collect())
}

/// Calls a route as everybody: who is refused first, so that they meet the thing as its owner left it. Says what went wrong.
async fn every_caller(stage: &Stage, table: &Table, route: &Route) -> Outcome<Vec<String>> {
    let untouched = stage.call(route, Column::Theirs).await?;
    let mut wrong = Vec::new();
    let mut callers: Vec<(Column, Option<Bad>, Gets)> = Vec::new();
    for column in Column::ALL {
        let gets = table.cell(route, column)?;
        match column {
            Column::BadToken => callers.extend(Bad::ALL.map(|bad| (column, Some(bad), gets))),
            _ => callers.push((column, None, gets)),
        }
    }
    callers.sort_by_key(|(_, _, gets)| *gets == Gets::Served);
    for (column, bad, gets) in callers {
        let call = if gets == Gets::Served { stage.call(route, column).await? } else { untouched.clone() };
        // The owner's own request, sent by another, is sent with the other's token.
        let caller = call.caller.as_ref().filter(|_| gets == Gets::Served || column == Column::Theirs);
        let request = match (column, bad) {
            (Column::NoToken, _) => call.request,
            (_, Some(bad)) => call.request.bearer(stage.forge.token(bad)),
            (column, None) => call.request.bearer(&stage.token(column, caller).await?),
        };
        let reply = request.send().await?;
        let code = match bad {
            _ if column == Column::NoToken => "AUTHENTICATION_REQUIRED",
            // No token of a user is a device's.
            _ if route.access == Access::Device => "TOKEN_INVALID",
            Some(bad) => bad.code(),
            None => "AUTHENTICATION_REQUIRED",
        };
        if let Err(failure) = judge(gets, code, &reply) {
            wrong.push(format!("{} {}, {column:?} {bad:?}: {failure}", route.method, route.path));
        }
    }
    Ok(wrong)
}

/// Whether a caller got what the table says they get.
fn judge(gets: Gets, unauthenticated: &str, reply: &Reply) -> Outcome<()> {
    let code = match gets {
        Gets::Served => {
            let served = !matches!(reply.status, 401 | 403) && reply.status < 500;
            ensure!(served, "should be served, and got {}: {}", reply.status, reply.body);
            return Ok(());
        }
        Gets::Forbidden => "FORBIDDEN",
        Gets::Unauthenticated => unauthenticated,
    };
    let status = if gets == Gets::Forbidden { 403 } else { 401 };
    reply.refusal(status, code)?;
    if status == 401 {
        ensure!(reply.challenge().is_some(), "401 without a challenge: {reply:?}");
    }
    Ok(())
}

/// The control of all the spoiled tokens: unspoiled, made by the same hand, one is taken for what it says.
#[tokio::test]
async fn a_token_with_nothing_wrong_is_admitted() -> Verdict {
    let house = BoxOffice::open().await?;
    let forge = Forge::open(&house).await?;
    house.api.get("/users").bearer(&forge.unspoiled()?).send().await?.with_status(200)?;
    for bad in Bad::ALL {
        house.api.get("/users").bearer(forge.token(bad)).send().await?.refusal(401, bad.code())?;
    }
    Ok(())
}

/// The control of the judge: a rule that is another than the table's is noticed, whichever way it is wrong.
#[tokio::test]
async fn the_judge_notices_a_rule_that_is_not_kept() -> Verdict {
    let house = BoxOffice::open().await?;
    let refused = house.buyer.get("/users").send().await?;
    let served = house.admin.get("/users").query("limit", "1").send().await?;
    let unknown = house.api.get("/users").send().await?;
    for (kept, reply) in [(Gets::Forbidden, refused), (Gets::Served, served), (Gets::Unauthenticated, unknown)] {
        for gets in [Gets::Served, Gets::Forbidden, Gets::Unauthenticated] {
            let noticed = judge(gets, "AUTHENTICATION_REQUIRED", &reply).is_err();
            if noticed == (gets == kept) {
                return Err(Failure::new(format!("{gets:?} judged wrongly of {reply:?}")).into());
            }
        }
    }
    Ok(())
}
