use crate::person::{Person, Run};

/// Nothing listens there; a command with bad arguments must not even ask.
const NOWHERE: &str = "http://127.0.0.1:9";

#[test]
fn bad_arguments_exit_with_2_and_print_no_result() {
    let anyone = Person::new(NOWHERE, "anyone");
    for arguments in [
        "",
        "no-such-command",
        "submit",
        "submit predictions.txt",
        "submit predictions.txt --challenge clothes --no-such-flag",
        "submit predictions.txt --challenge clothes --class-offset one",
        "submissions show not-an-id",
        "submissions withdraw",
        "leaderboard",
        "leaderboard clothes --json --csv",
        "leaderboard clothes --split sealed",
        "check predictions.txt",
        "check predictions.txt --challenge clothes --classes classes.txt",
        "score predictions.txt",
        "challenge",
        "challenge create",
        "token delete not-an-id",
        "serve --listen nowhere",
        "serve --roles api,janitor",
        "serve --device tpu",
        "serve --trusted-proxies proxy.example",
        "database-url nobody",
        "admin grant ada --role emperor",
        "completions cmd.exe",
    ] {
        let run = anyone.run(arguments.split_whitespace());
        assert_eq!(run.code, 2, "`referee {arguments}`: {}", run.stderr);
        assert_eq!(run.stdout, "", "`referee {arguments}`");
        assert!(!run.stderr.is_empty(), "`referee {arguments}`");
    }
}

#[test]
fn what_is_no_id_is_told_where_ids_are() {
    let anyone = Person::new(NOWHERE, "anyone");
    for action in ["show", "withdraw", "select"] {
        let said = anyone.run(["submissions", action, "17"]).stderr;
        assert!(said.contains("`referee submissions` lists"), "{said}");
    }
}

#[test]
fn a_database_that_does_not_answer_is_named_with_what_to_look_at() {
    let anyone = Person::new(NOWHERE, "anyone");
    let nobody = "postgres://nobody:secret@127.0.0.1:9/referee";
    let run = |variable: &str, arguments: &[&str]| {
        let mut command = anyone.command();
        command.env(variable, nobody).args(arguments);
        let said = Run::of(&mut command).refused();
        assert!(said.contains(variable), "{said}");
        assert!(said.contains("Connection refused"), "{said}");
        assert!(!said.contains("secret"), "{said}");
        said
    };
    run("DATABASE_URL", &["migrate"]);
    let said = run(
        "REFEREE_SCORER_DATABASE_URL",
        &["serve", "--roles", "scorer"],
    );
    assert!(said.contains("the database of the role scorer"), "{said}");
    run("DATABASE_URL", &["admin", "grant", "ada"]);
}

#[test]
fn a_password_that_could_not_sign_in_is_refused() {
    let anyone = Person::new(NOWHERE, "anyone");
    let mut command = anyone.command();
    command
        .env("REFEREE_PASSWORD", "x".repeat(1025))
        .args(["admin", "password", "ada"]);
    insta::assert_snapshot!(Run::of(&mut command).refused(), @"referee: this password has 1025 bytes and could not sign in; choose one of at most 1024");
}

#[test]
fn what_is_no_trusted_proxy_is_named_with_what_could_be_one() {
    let anyone = Person::new(NOWHERE, "anyone");
    let mut command = anyone.command();
    command
        .env("REFEREE_TRUSTED_PROXIES", "10.0.0.0/8,proxy.example")
        .arg("serve");
    let run = Run::of(&mut command);
    assert_eq!(run.code, 2);
    let said = run.stderr;
    assert!(said.contains("`proxy.example` is no address"), "{said}");
    assert!(said.contains("10.0.0.0/8, or several"), "{said}");
}

#[test]
fn data_lie_in_a_directory() {
    let anyone = Person::new(NOWHERE, "anyone");
    anyone.write("file", "");
    let said = anyone.run(["serve", "--data", "file"]).refused();
    insta::assert_snapshot!(said, @"referee: file is a file; --data takes a directory, which is made where there is none");
}

#[test]
fn what_cannot_be_done_exits_with_1_and_one_sentence() {
    let anyone = Person::new(NOWHERE, "anyone");
    for arguments in [
        "submissions",
        "leaderboard clothes",
        "challenge create .",
        "challenge check nowhere",
        "score --labels nowhere.csv nothing.txt",
        "check nothing.txt --classes nowhere.txt --images 3",
        "database-url owner",
    ] {
        let said = anyone.run(arguments.split_whitespace()).refused();
        assert!(
            said.starts_with("referee: "),
            "`referee {arguments}`: {said}"
        );
        assert_eq!(said.lines().count(), 1, "`referee {arguments}`: {said}");
    }
}

#[test]
fn help_is_for_stdout() {
    let anyone = Person::new(NOWHERE, "anyone");
    insta::assert_snapshot!(anyone.run(["--help"]).done(), @r"
    A scoring referee for the common task framework: hidden labels, honest numbers

    Usage: referee <COMMAND>

    Commands:
      serve         Run a server: everything in one process by default
      demo          Start a server with a real challenge and real competitors in it
      migrate       Prepare a database, or bring it up to date: roles, queue and schema
      database-url  Print the connection URL of the private cluster, for psql and pg_dump
      admin         Change accounts and run submissions again on the server's machine, whether or not the server runs
      audit         Check or export the audit trail: who did what, when and from where
      register      Open an account, and keep a token for it
      login         Sign in, and keep a token
      token         Print the token in use, or manage tokens
      challenge     Organize challenges, and look at them
      submit        Submit predictions or a model, and wait for the score
      submissions   List your submissions, or look at one, withdraw it, or select it
      leaderboard   Show a challenge's leaderboard
      check         Check a prediction file as the server would, before uploading it
      verify        Check a labels file against what a challenge committed to when it was published
      score         Score predictions against labels, without a server
      predict       Run a model over test images as the server would: its predictions, ready to be scored or submitted
      profile       Show a network's parameters, multiply-accumulates, depth and layers
      convert       Convert a PyTorch checkpoint to safetensors, on your machine and without running what it holds
      completions   Print completions for a shell
      help          Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Begin with `referee demo`, or `referee serve` and `referee register HANDLE`.
    ");
    assert!(anyone.run(["submit", "--help"]).done().contains("Example:"));
    assert!(
        anyone
            .run(["completions", "bash"])
            .done()
            .contains("complete -F _referee")
    );
}
