//! `GET /api/v1/admin/blocks`

use axum::{Json, extract::State};
use onsale_engine::ports::{BLOCKS_LISTED_MAX, Block};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Shared, caller::Admin, problem::Problem, time::Rfc3339};

/// Somebody who asked too often.
#[derive(Serialize, ToSchema)]
#[schema(as = Block)]
pub(super) struct BlockBody {
    /// The rule that was broken.
    #[schema(example = "lists-by-ip")]
    rule: String,
    /// Who: an address, an account, or somebody who tries to log in.
    #[schema(example = "ip-192.0.2.7")]
    subject: String,
    /// Until when.
    #[schema(format = DateTime)]
    until: String,
}

impl From<Block> for BlockBody {
    fn from(block: Block) -> Self {
        Self {
            rule: block.rule.to_string(),
            subject: block.subject.to_string(),
            until: Rfc3339(block.until).to_string(),
        }
    }
}

/// List who is blocked
///
/// Whoever broke a limit that blocks. At most 1,000, those whose block ends last first.
#[utoipa::path(get, path = "/api/v1/admin/blocks", tag = "admin", security(("bearer" = [])),
    responses((status = 200, description = "Who is blocked", body = Vec<BlockBody>)))]
pub(super) async fn list_blocks(
    State(api): State<Shared>,
    _: Admin,
) -> Result<Json<Vec<BlockBody>>, Problem> {
    let Some(limits) = &api.door.limits else { return Ok(Json(Vec::new())) };
    let blocks = limits.limiter.blocks(BLOCKS_LISTED_MAX).await?;
    Ok(Json(blocks.into_iter().map(BlockBody::from).collect()))
}
