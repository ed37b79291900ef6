use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::person::REFEREE;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What of docker-compose.yml makes a process what it is.
pub struct Compose {
    services: BTreeMap<String, Service>,
    files: PathBuf,
    port: Option<u16>,
}

#[derive(Deserialize)]
struct File {
    services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
struct Service {
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    secrets: Vec<String>,
    healthcheck: Option<HealthCheck>,
}

#[derive(Deserialize)]
struct HealthCheck {
    test: Vec<String>,
}

impl Compose {
    /// Keeps what containers would have as volumes and secrets in `files`. The secrets are those of scripts/make-secrets;
    /// each service's directory holds those that the file gives it.
    pub fn read(files: &Path) -> Self {
        let text = fs::read_to_string(format!("{REPOSITORY}/docker-compose.yml")).expect("read it");
        let mut yaml: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).expect("YAML");
        yaml.apply_merge().expect("merge keys");
        let File { services } = serde_yaml_ng::from_value(yaml).expect("services");
        let compose = Self {
            services,
            files: files.to_owned(),
            port: None,
        };
        let made = Command::new(format!("{REPOSITORY}/scripts/make-secrets"))
            .arg(files.join("secrets"))
            .output()
            .expect("run scripts/make-secrets");
        assert!(made.status.success());
        for (name, service) in &compose.services {
            let directory = compose.secrets_of(name);
            fs::create_dir(&directory).expect("make a directory");
            for secret in &service.secrets {
                fs::copy(files.join("secrets").join(secret), directory.join(secret))
                    .expect("hand out a secret");
            }
        }
        for directory in ["objects", "working"] {
            fs::create_dir(files.join(directory)).expect("make a directory");
        }
        compose
    }

    /// Where the name `postgres` leads to.
    pub fn database_at(&mut self, port: u16) {
        self.port = Some(port);
    }

    pub fn secret(&self, name: &str) -> String {
        fs::read_to_string(self.files.join("secrets").join(name)).expect("a secret")
    }

    pub fn secrets_of(&self, service: &str) -> PathBuf {
        self.files.join(format!("secrets-of-{service}"))
    }

    /// A value as a container would have it, but with this machine's paths and addresses.
    pub fn environment(&self, service: &str) -> BTreeMap<String, String> {
        let here = |value: &str| {
            let objects = self.files.join("objects");
            let mut value = value
                .replace(
                    "/run/secrets",
                    &self.secrets_of(service).display().to_string(),
                )
                .replace("/var/lib/referee/objects", &objects.display().to_string());
            if let Some(port) = self.port {
                value = value.replace("@postgres/", &format!("@127.0.0.1:{port}/"));
            }
            // `${NAME:-default}` or `${NAME-default}`, with NAME unset.
            match value
                .strip_prefix("${")
                .and_then(|value| value.split_once('-'))
            {
                Some((_, default)) => default.trim_end_matches('}').to_owned(),
                None => value,
            }
        };
        let environment = &self.services[service].environment;
        let pairs = environment
            .iter()
            .map(|(name, value)| (name.clone(), here(value)));
        pairs.collect()
    }

    /// The process of a service.
    pub fn command(&self, service: &str) -> Command {
        // Any port that is free, instead of the one that a container has to itself.
        let arguments = self.services[service].command.iter();
        let arguments: Vec<_> = arguments.map(|word| word.replace(":8080", ":0")).collect();
        self.command_with(
            service,
            &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
        )
    }

    /// As `docker compose run SERVICE ARGUMENTS`.
    pub fn command_with(&self, service: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(REFEREE);
        command
            .args(arguments)
            .current_dir(self.files.join("working"))
            .env_clear()
            .envs(self.environment(service));
        command
    }

    /// What the health check asks for.
    pub fn health_check_path(&self, service: &str) -> String {
        let check = self.services[service]
            .healthcheck
            .as_ref()
            .expect("a health check");
        let url = check.test.last().expect("a URL");
        let (_, path) = url.split_once(":8080").expect("the container's own port");
        path.to_owned()
    }

    pub fn is_working_directory_empty(&self) -> bool {
        let mut entries = fs::read_dir(self.files.join("working")).expect("a directory");
        entries.next().is_none()
    }
}
