//! Requests that are done once however often they are sent: a client names a request with a key of its own, and the
//! first reply is given again to whoever sends the same request under the same key (draft-ietf-httpapi-idempotency-key).

use sea_orm::DatabaseConnection;

use super::access::Actor;
use super::sql;
use crate::error::Result;

/// A reply that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Media type of the body, or empty.
    pub kind: String,
    /// Address of what was made, or empty.
    pub location: String,
    /// The body.
    pub body: Vec<u8>,
}

/// A request as its sender names it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who sends it: keys of one caller mean nothing to another.
    pub caller: String,
    /// The key.
    pub name: String,
    /// Hash of the request.
    pub hash: String,
}

/// How a request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It was not sent before (or is forgotten): do it, then [`end`] or [`forget`] it.
    Fresh,
    /// It was done.
    Done(Reply),
    /// It is being done.
    Running,
    /// Another request was sent under this key.
    Other,
}

/// Begins a request. What began before `since` is forgotten; one that is not ended and began before `stale` was broken
/// off with its process and begins anew.
///
/// # Errors
/// The database does not answer.
pub async fn begin(
    db: &DatabaseConnection,
    actor: &Actor,
    request: &Request,
    since: &str,
    stale: &str,
) -> Result<Begun> {
    let what = "looking a request up";
    sql::run(db, what, "DELETE FROM idempotency WHERE begun < $1", vec![since.into()]).await?;
    let Request { caller, name, hash } = request;
    let key = || vec![actor.workspace.into(), sql::text(caller), sql::text(name)];
    let insert = "INSERT INTO idempotency (workspace, caller, name, request, begun) VALUES ($1, $2, $3, $4, $5) \
                  ON CONFLICT (workspace, caller, name) DO NOTHING";
    let mut values = key();
    values.extend([hash.as_str().into(), actor.now.as_str().into()]);
    if sql::run(db, what, insert, values).await? == 1 {
        return Ok(Begun::Fresh);
    }
    let select = "SELECT request, status, kind, location, body FROM idempotency WHERE workspace = $1 AND caller = $2 \
                  AND name = $3";
    type Row = (String, i64, String, String, Option<Vec<u8>>);
    let Some((known, status, kind, location, body)) = sql::row::<Row>(db, what, select, key()).await? else {
        return Ok(Begun::Running); // forgotten between the two statements: whoever tries again begins it
    };
    if known != *hash {
        return Ok(Begun::Other);
    }
    if status != 0 {
        let status = u16::try_from(status).unwrap_or(200);
        return Ok(Begun::Done(Reply { status, kind, location, body: body.unwrap_or_default() }));
    }
    let again = "UPDATE idempotency SET begun = $4 WHERE workspace = $1 AND caller = $2 AND name = $3 AND status = 0 \
                 AND begun < $5";
    let mut values = key();
    values.extend([actor.now.as_str().into(), stale.into()]);
    Ok(if sql::run(db, what, again, values).await? == 1 { Begun::Fresh } else { Begun::Running })
}

/// Keeps the reply to a request.
///
/// # Errors
/// The database does not answer.
pub async fn end(db: &DatabaseConnection, actor: &Actor, request: &Request, reply: &Reply) -> Result<()> {
    let update = "UPDATE idempotency SET status = $4, kind = $5, location = $6, body = $7 WHERE workspace = $1 \
                  AND caller = $2 AND name = $3";
    let values = vec![
        actor.workspace.into(),
        sql::text(&request.caller),
        sql::text(&request.name),
        i64::from(reply.status).into(),
        sql::text(&reply.kind),
        sql::text(&reply.location),
        reply.body.clone().into(),
    ];
    sql::run(db, "keeping a reply", update, values).await?;
    Ok(())
}

/// Forgets a request that was not done, so that it can be tried again.
///
/// # Errors
/// The database does not answer.
pub async fn forget(db: &DatabaseConnection, actor: &Actor, request: &Request) -> Result<()> {
    let delete = "DELETE FROM idempotency WHERE workspace = $1 AND caller = $2 AND name = $3 AND status = 0";
    let values = vec![actor.workspace.into(), sql::text(&request.caller), sql::text(&request.name)];
    sql::run(db, "forgetting a request", delete, values).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::people;
    use crate::platform::testing::each;

    #[test]
    fn a_request_is_done_once() {
        each(async |db| {
            let at = |minute: u32| format!("2026-01-01T00:{minute:02}:00.000Z");
            let workspace = people::first_workspace(db, "W", &at(0)).await.unwrap();
            let actor = |minute: u32| Actor::system(workspace, &at(minute));
            let request =
                |hash: &str| Request { caller: "c".to_owned(), name: "k".to_owned(), hash: hash.to_owned() };
            let step = async |minute: u32, since: &str, hash: &str| {
                begin(db, &actor(minute), &request(hash), since, &at(minute.saturating_sub(10)))
                    .await
                    .unwrap()
            };
            assert_eq!(step(0, "2025", "a").await, Begun::Fresh);
            assert_eq!(step(1, "2025", "a").await, Begun::Running);
            assert_eq!(step(1, "2025", "b").await, Begun::Other);
            // the process that began it is gone
            assert_eq!(step(11, "2025", "a").await, Begun::Fresh);
            assert_eq!(step(12, "2025", "a").await, Begun::Running);
            let reply = Reply {
                status: 201,
                kind: "application/json".to_owned(),
                location: "/x/1".to_owned(),
                body: b"{}".to_vec(),
            };
            end(db, &actor(12), &request("a"), &reply).await.unwrap();
            assert_eq!(step(30, "2025", "a").await, Begun::Done(reply));
            forget(db, &actor(30), &request("a")).await.unwrap();
            assert_eq!(step(31, "2025", "b").await, Begun::Other, "what is done is not forgotten");
            assert_eq!(step(32, "2027", "b").await, Begun::Fresh, "but after its time");
            forget(db, &actor(32), &request("b")).await.unwrap();
            assert_eq!(step(33, "2025", "c").await, Begun::Fresh);
        });
    }
}
