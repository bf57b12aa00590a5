//! What is said first on a connection: who we are, which version of the protocol, which database.

use redis::{Cmd, ErrorKind, RedisConnectionInfo, RedisError, RedisResult, Value, cmd};

use super::{
    failure::{FORBIDDEN, without_arguments},
    pipe::Pipe,
};

/// Logs in on `pipe`.
pub(super) async fn log_in(pipe: &Pipe, login: &RedisConnectionInfo) -> RedisResult<()> {
    if login.protocol().supports_resp3() {
        hello(pipe, login).await?;
    } else if let Some(password) = login.password() {
        authenticate(pipe, login, password).await?;
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
    let details = without_secrets(refusal.details(), login);
    Err(match refusal.code() {
        "ERR" if details.contains("unknown command") || details.contains("NOPROTO") => unknown_protocol(details),
        "NOPROTO" => unknown_protocol(details),
        code => refused(code, &details),
    })
}

async fn authenticate(pipe: &Pipe, login: &RedisConnectionInfo, password: &str) -> RedisResult<()> {
    let user = login.username();
    let mut words = cmd("AUTH");
    words.arg(user).arg(password);
    let Value::ServerError(refusal) = pipe.command(&words).await? else { return Ok(()) };
    let details = without_secrets(refusal.details(), login);
    // Servers before 6 know no users.
    let knows_no_users = user.is_some() && details.contains("wrong number of arguments for 'auth' command");
    if knows_no_users && pipe.command(cmd("AUTH").arg(password)).await? == Value::Okay {
        return Ok(());
    }
    Err(refused(refusal.code(), &details))
}

/// What a server says, without the password that it may quote: redis-rs logs it where it connects to a cluster.
fn without_secrets(details: Option<&str>, login: &RedisConnectionInfo) -> String {
    let details = without_arguments(details.unwrap_or_default());
    match login.password() {
        Some(password) if !password.is_empty() => details.replace(password, "…"),
        _ => details.to_owned(),
    }
}

/// The error of a server that does not let us in. Only who we are is for somebody to mend: a server that is full, or loads its
/// data, lets us in later.
fn refused(code: &str, details: &str) -> RedisError {
    let of_password = FORBIDDEN.contains(&code) || (code == "ERR" && details.contains("password"));
    let line = format!("-{code} {details}\r\n");
    match redis::parse_redis_value(line.as_bytes()).and_then(Value::extract_error) {
        Err(passing) if !of_password => passing,
        _ => {
            let told = format!("{code} {details}");
            (ErrorKind::AuthenticationFailed, "the server did not accept user and password", told).into()
        }
    }
}

fn unknown_protocol(details: String) -> RedisError {
    (ErrorKind::RESP3NotSupported, "the server does not know version 3 of the protocol", details).into()
}
