//! The currency of a database's money: written when the database is begun, and never changed.

use onsale_domain::money::Currency;
use onsale_engine::ports::StoreError;
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, QuerySelect, SqlErr, sea_query::Query};

use crate::{
    entity::order,
    error::{broken, store_error},
};

const MARK: &str = "currency";

/// Makes sure that the database's money is in `configured`. A database that does not know its currency yet takes
/// that of its latest order, or else `configured`. Of processes that begin one at the same moment, the first decides.
///
/// # Errors
/// [`StoreError::OtherCurrency`] if it is another one.
pub(crate) async fn settle(writer: &impl ConnectionTrait, configured: Currency) -> Result<(), StoreError> {
    let known = match known(writer).await? {
        Some(known) => known,
        None => {
            begin(writer, of_orders(writer).await?.unwrap_or(configured)).await?;
            known(writer).await?.ok_or_else(|| broken("the database's currency was written and is gone"))?
        }
    };
    if known == configured { Ok(()) } else { Err(StoreError::OtherCurrency { database: known, configured }) }
}

/// The database's currency, if it knows it.
pub(crate) async fn known(read: &impl ConnectionTrait) -> Result<Option<Currency>, StoreError> {
    let select = Query::select().column("value").from("database_marks").and_where(is_mark()).take();
    let row = read.query_one(&select).await.map_err(store_error)?;
    let value: Option<String> = row.map(|row| row.try_get_by_index(0)).transpose().map_err(store_error)?;
    value.map(|value| value.parse().map_err(broken)).transpose()
}

async fn begin(writer: &impl ConnectionTrait, currency: Currency) -> Result<(), StoreError> {
    let insert = Query::insert()
        .into_table("database_marks")
        .columns(["name", "value"])
        .values_panic([MARK.into(), currency.as_str().into()])
        .take();
    match writer.execute(&insert).await {
        Ok(_) => Ok(()),
        Err(error) => match error.sql_err() {
            // Another process was faster.
            Some(SqlErr::UniqueConstraintViolation(_)) => Ok(()),
            _ => Err(store_error(error)),
        },
    }
}

/// The currency of the latest order, in a database from before it knew its currency.
async fn of_orders(read: &impl ConnectionTrait) -> Result<Option<Currency>, StoreError> {
    let latest: Option<String> = order::Entity::find()
        .select_only()
        .column(order::Column::Currency)
        .order_by_desc(order::Column::Id)
        .into_tuple()
        .one(read)
        .await
        .map_err(store_error)?;
    // The audit tells of one that is none.
    Ok(latest.and_then(|code| code.parse().ok()))
}

fn is_mark() -> sea_orm::sea_query::Expr {
    use sea_orm::sea_query::{Expr, ExprTrait};
    Expr::col("name").eq(MARK)
}
