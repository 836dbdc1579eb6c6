//! Folding titles again that were folded by older rules, so that today's queries find them.

use onsale_domain::{
    ids::ShowId,
    search::{FOLD_VERSION, genre_key, title_key},
    text::compose,
};
use onsale_engine::ports::StoreError;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    TransactionTrait,
};

use super::shows::{replace_grams, show_from_model, values};
use crate::{dialect::Dialect, entity::show, error::store_error};

/// Shows of one transaction: a sale that goes on beside it waits no longer than for these.
const PORTION: u64 = 100;

/// Folds what older rules have folded. Nodes may do so at once, and beside one that sells: a row is taken by
/// whoever changes it first, and passed over if its texts have changed meanwhile.
pub(crate) async fn refold(writer: &DatabaseConnection, dialect: Dialect) -> Result<(), StoreError> {
    let mut done = 0;
    while let Some(portion) = portion(writer, dialect).await? {
        done += portion;
    }
    if done > 0 {
        tracing::info!(shows = done, "titles were folded again, so that they are found");
    }
    Ok(())
}

/// Folds some; how many, or `None` if none are left.
async fn portion(writer: &DatabaseConnection, dialect: Dialect) -> Result<Option<usize>, StoreError> {
    let older = || show::Column::FoldedBy.lt(FOLD_VERSION);
    let read = show::Entity::find().filter(older()).order_by_asc(show::Column::Id).limit(PORTION);
    let models = read.all(writer).await.map_err(store_error)?;
    if models.is_empty() {
        return Ok(None);
    }
    let write = writer.begin_with_options(dialect.write_transaction()).await.map_err(store_error)?;
    let (mut plain, count) = (Vec::new(), models.len());
    for model in models {
        let folded = (title_key(&model.title), model.genre.as_deref().map(genre_key));
        let known = show_from_model(model.clone())?;
        let mut details = known.details.clone();
        for text in [Some(&mut details.title), details.grade.as_mut(), details.genre.as_mut()]
            .into_iter()
            .chain([details.description.as_mut(), details.creator.as_mut()])
            .flatten()
        {
            compose(text);
        }
        let same = details == known.details && folded == (model.title_folded, model.genre_folded);
        // MariaDB once took grams in the database's charset, and may have lost what that does not know.
        let grams_are_right = dialect != Dialect::MySql || model.title.is_ascii();
        if same && grams_are_right {
            plain.push(model.id);
        } else {
            again(&write, dialect, known.id, &model.title, &details).await?;
        }
    }
    show::Entity::update_many()
        .set(show::ActiveModel { folded_by: Set(FOLD_VERSION), ..Default::default() })
        .filter(show::Column::Id.is_in(plain))
        .filter(older())
        .exec(&write)
        .await
        .map_err(store_error)?;
    write.commit().await.map_err(store_error)?;
    Ok(Some(count))
}

/// Folds one, if it is still as it was read.
async fn again(
    write: &impl ConnectionTrait,
    dialect: Dialect,
    id: ShowId,
    title: &str,
    details: &onsale_domain::catalogue::ShowDetails,
) -> Result<(), StoreError> {
    let taken = show::Entity::update_many()
        .set(show::ActiveModel { owner_id: NotSet, ..values(details)? })
        .filter(show::Column::Id.eq(id.0))
        .filter(show::Column::FoldedBy.lt(FOLD_VERSION))
        .filter(show::Column::Title.eq(title))
        .exec(write)
        .await
        .map_err(store_error)?;
    if taken.rows_affected == 0 { Ok(()) } else { replace_grams(write, dialect, id, details).await }
}
