use referee_client::documents;
use referee_scoring::model_form::Architecture;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::extract::Json;

/// Of the one family that is described rather than named.
const EXAMPLE: &str = "mlp(512,256)";

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The networks that a safetensors file may hold the weights of, as the form field `architecture` names them.
#[utoipa::path(get, operation_id = "list_architectures", path = "/architectures", tag = "submissions", responses(
    (status = 200, description = "Their names", body = documents::Architectures)
))]
async fn list() -> Json<documents::Architectures> {
    let names = Architecture::names()
        .chain([EXAMPLE])
        .map(str::to_owned)
        .collect();
    Json(documents::Architectures { names })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is offered is accepted.
    #[tokio::test]
    async fn every_name_is_one_that_intake_knows() {
        let Json(list) = list().await;
        assert!(list.names.contains(&"resnet50".to_owned()));
        for name in &list.names {
            assert!(name.parse::<Architecture>().is_ok(), "{name}");
        }
    }
}
