//! Rows of webhooks and of deliveries.

/// A subscription.
pub(crate) mod webhook {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "webhooks")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) owner_id: i64,
        #[sea_orm(column_type = "Text")]
        pub(crate) url: String,
        #[sea_orm(column_type = "Text")]
        pub(crate) event_types: String,
        #[sea_orm(column_type = "Text")]
        pub(crate) show_ids: String,
        pub(crate) active: bool,
        pub(crate) secret: String,
        pub(crate) previous_secret: Option<String>,
        pub(crate) previous_until: i64,
        pub(crate) created_at: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A delivery.
pub(crate) mod delivery {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "deliveries")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) channel: i64,
        pub(crate) event_id: String,
        pub(crate) event_type: String,
        pub(crate) subject: String,
        #[sea_orm(column_type = "Text")]
        pub(crate) body: String,
        pub(crate) state: i16,
        pub(crate) attempts: i64,
        pub(crate) added_at: i64,
        pub(crate) since: i64,
        pub(crate) due_at: i64,
        pub(crate) lease: Option<Uuid>,
        pub(crate) leased_until: i64,
        pub(crate) answer_status: Option<i16>,
        #[sea_orm(column_type = "Text", nullable)]
        pub(crate) answer: Option<String>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
