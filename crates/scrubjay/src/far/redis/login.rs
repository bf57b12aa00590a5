//! What is said first on a connection: who we are, which version of the protocol, which database.

use redis::{Cmd, ErrorKind, RedisConnectionInfo, RedisError, RedisResult, Value, cmd};

use super::pipe::Pipe;

/// Logs in on `pipe`.
pub(super) async fn log_in(pipe: &Pipe, login: &RedisConnectionInfo) -> RedisResult<()> {
    if login.protocol().supports_resp3() {
        hello(pipe, login).await?;
    } else if let Some(password) = login.password() {
        authenticate(pipe, login.username(), password).await?;
    }
    if login.db() != 0 {
        pipe.command(cmd("SELECT").arg(login.db())).await?.extract_error()?;
    }
    if let (Some(name), Some(version)) = (login.lib_name(), login.lib_ver()) {
        let mut introduction = redis::pipe();
        introduction.add_command(information("LIB-NAME", name)).add_command(information("LIB-VER", version));
        // Servers before 7.2 do not know these.
        pipe.commands(&introduction, 0, 2).await?;
    }
    Ok(())
}

fn information(about: &str, text: &str) -> Cmd {
    let mut command = cmd("CLIENT");
    command.arg("SETINFO").arg(about).arg(text);
    command
}

async fn hello(pipe: &Pipe, login: &RedisConnectionInfo) -> RedisResult<()> {
    let mut hello = cmd("HELLO");
    hello.arg(3);
    if let Some(password) = login.password() {
        hello.arg("AUTH").arg(login.username().unwrap_or("default")).arg(password);
    }
    let Value::ServerError(refusal) = pipe.command(&hello).await? else { return Ok(()) };
    let details = refusal.details().unwrap_or_default().to_owned();
    Err(match refusal.code() {
        "ERR" if details.contains("unknown command") || details.contains("NOPROTO") => unknown_protocol(details),
        "NOPROTO" => unknown_protocol(details),
        _ => Value::ServerError(refusal).extract_error().map_or_else(|error| error, |_| not_accepted(details)),
    })
}

async fn authenticate(pipe: &Pipe, user: Option<&str>, password: &str) -> RedisResult<()> {
    let mut words = cmd("AUTH");
    words.arg(user).arg(password);
    let Value::ServerError(refusal) = pipe.command(&words).await? else { return Ok(()) };
    let details = refusal.details().unwrap_or_default();
    // Servers before 6 know no users.
    let knows_no_users = user.is_some() && details.contains("wrong number of arguments for 'auth' command");
    if knows_no_users && pipe.command(cmd("AUTH").arg(password)).await? == Value::Okay {
        return Ok(());
    }
    Err(not_accepted(format!("{} {details}", refusal.code())))
}

fn not_accepted(details: String) -> RedisError {
    (ErrorKind::AuthenticationFailed, "the server did not accept user and password", details).into()
}

fn unknown_protocol(details: String) -> RedisError {
    (ErrorKind::RESP3NotSupported, "the server does not know version 3 of the protocol", details).into()
}
