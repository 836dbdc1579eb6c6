//! Rows about terms.

/// A revision of an offer's terms.
pub(crate) mod offer_terms {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "offer_terms")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) offer: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) revision: i64,
        pub(crate) since: i64,
        pub(crate) show_id: i64,
        pub(crate) hold_ms: i64,
        pub(crate) per_buyer_max: i64,
        #[sea_orm(column_type = "Text", nullable)]
        pub(crate) prices: Option<String>,
        pub(crate) digest: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
