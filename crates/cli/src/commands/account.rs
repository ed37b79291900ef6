use anyhow::{Context as _, bail};
use clap::Subcommand;
use referee_client::Client;
use referee_client::documents::{NewSession, NewUser};
use uuid::Uuid;

use crate::connection::Connection;
use crate::credentials::Credentials;
use crate::output::{self, Align};

/// What a token made by this command line is called on the account page.
const TOKEN_NAME: &str = "referee command line";

/// Open an account, and keep a token for it
///
/// The password is asked for, or read from REFEREE_PASSWORD.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee register ada --email ada@example.org")]
pub struct Register {
    /// Your name on the board: 2 to 39 letters, digits, - and _
    handle: String,
    #[arg(long)]
    email: Option<String>,
    /// What the link ends in that you were sent, where the server asks for an invitation
    #[arg(long, value_name = "SECRET")]
    invitation: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Register {
    pub async fn run(self) -> anyhow::Result<()> {
        let client = self.connection.anonymous()?;
        let password = new_password()?;
        let user = NewUser {
            handle: self.handle.clone(),
            password: password.clone(),
            email: self.email,
            invitation: self.invitation,
        };
        let user = client.register(&user).await?;
        sign_in(&client, &self.handle, password).await?;
        output::print_line(&format!(
            "Welcome, {}: your account ({}) is open and you are signed in.",
            user.handle, user.role
        ))
    }
}

/// Sign in, and keep a token
///
/// The password is asked for, or read from REFEREE_PASSWORD.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  referee login ada --server https://referee.example.org")]
pub struct Login {
    handle: String,
    #[command(flatten)]
    connection: Connection,
}

impl Login {
    pub async fn run(self) -> anyhow::Result<()> {
        let client = self.connection.anonymous()?;
        sign_in(&client, &self.handle, password()?).await?;
        output::print_line(&format!(
            "You are signed in at {} as {}.",
            client.server(),
            self.handle
        ))
    }
}

async fn sign_in(client: &Client, handle: &str, password: String) -> anyhow::Result<()> {
    let session = NewSession {
        handle: handle.to_owned(),
        password,
    };
    let (_, created) = client.sign_in_with_token(&session, TOKEN_NAME).await?;
    Credentials {
        server: client.server().to_owned(),
        token: created.token,
    }
    .store()?;
    Ok(())
}

/// Print the token in use, or manage tokens
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  curl -H \"Authorization: Bearer $(referee token)\" http://127.0.0.1:8080/api/v1/me",
    args_conflicts_with_subcommands = true
)]
pub struct Token {
    #[command(subcommand)]
    action: Option<TokenAction>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand)]
enum TokenAction {
    /// List your tokens
    #[command(after_help = "Example:\n  referee token list")]
    List {
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Make a token and print it; it is shown this once
    #[command(after_help = "Example:\n  referee token create \"training cluster\"")]
    Create {
        name: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete a token, so that it works no longer
    #[command(after_help = "Example:\n  referee token delete 0193b5a0-7c1e-7b43-9d2f-1f0f6c1b2a3d")]
    Delete {
        id: Uuid,
        #[command(flatten)]
        connection: Connection,
    },
}

impl Token {
    pub async fn run(self) -> anyhow::Result<()> {
        match self.action {
            None => {
                let token = self.connection.token()?;
                output::print_line(
                    &token.context("no token is stored; run `referee login HANDLE` first")?,
                )
            }
            Some(TokenAction::List { json, connection }) => {
                list(&connection.signed_in()?, json).await
            }
            Some(TokenAction::Create { name, connection }) => {
                output::print_line(&connection.signed_in()?.create_token(&name).await?.token)
            }
            Some(TokenAction::Delete { id, connection }) => {
                connection.signed_in()?.delete_token(id).await?;
                output::print_line("The token works no longer.")
            }
        }
    }
}

async fn list(client: &Client, json: bool) -> anyhow::Result<()> {
    let tokens = client.me().await?.tokens;
    if json {
        return output::print_json(&tokens);
    }
    let rows = tokens.into_iter().map(|token| {
        let last_used = token
            .last_used_at
            .map_or_else(|| "never".to_owned(), |at| at.format("%F %R").to_string());
        [
            token.id.to_string(),
            token.name,
            token.created_at.format("%F %R").to_string(),
            last_used,
        ]
    });
    output::print(&output::table(
        [
            ("id", Align::Left),
            ("name", Align::Left),
            ("created", Align::Left),
            ("last used", Align::Left),
        ],
        rows,
    ))
}

/// An existing password, typed without echo unless REFEREE_PASSWORD holds it.
fn password() -> anyhow::Result<String> {
    match std::env::var("REFEREE_PASSWORD") {
        Ok(password) => Ok(password),
        Err(_) => ask("Password: "),
    }
}

/// A new password, typed twice unless REFEREE_PASSWORD holds it.
pub(super) fn new_password() -> anyhow::Result<String> {
    if let Ok(password) = std::env::var("REFEREE_PASSWORD") {
        return Ok(password);
    }
    let password = ask("Password: ")?;
    if ask("Again: ")? != password {
        bail!("the two passwords differ; run the command again");
    }
    Ok(password)
}

fn ask(prompt: &str) -> anyhow::Result<String> {
    rpassword::prompt_password(prompt)
        .context("no terminal to ask for the password; set REFEREE_PASSWORD")
}
