//! Items and their stock.

/// An item.
pub(crate) mod item {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "items")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) name: String,
        pub(crate) content: String,
        pub(crate) price: i64,
        pub(crate) kind: String,
        pub(crate) start_at: Option<i64>,
        pub(crate) time_zone: String,
        pub(crate) image_url: Option<String>,
        pub(crate) hold_ms: i64,
        pub(crate) units_per_buyer_max: i64,
        pub(crate) owner_id: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What is left of an item.
pub(crate) mod stock {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "stocks")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) item_id: i64,
        pub(crate) units_total: i64,
        pub(crate) units_left: i64,
        pub(crate) revision: i64,
        pub(crate) version: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
