//! Which limits and which priority a route has: one line each.

use axum::http::Method;
use onsale_domain::shedding::Priority::{self, Arriving, Browsing, Buying, Paying};

use super::{
    Group::{
        self, Accounts, Admin, Bookings, Details, Line, Lists, LogIns, Operation, Orders, Payments, Seats,
    },
    Route,
};

/// Those for buyers and for operators. A test compares them with the OpenAPI document. All under
/// `/api/v1/admin/` are alike.
const ROUTES: &[(Method, &str, Group, Priority)] = &[
    (Method::GET, "/api/v1/movies", Lists, Browsing),
    (Method::GET, "/api/v1/movies/popular", Lists, Browsing),
    (Method::GET, "/api/v1/movies/{id}", Details, Browsing),
    (Method::GET, "/api/v1/concerts", Lists, Browsing),
    (Method::GET, "/api/v1/concerts/popular", Lists, Browsing),
    (Method::GET, "/api/v1/items/popular", Lists, Browsing),
    (Method::GET, "/api/v1/concerts/{id}", Details, Browsing),
    (Method::GET, "/api/v1/concerts/{id}/dates", Details, Browsing),
    (Method::GET, "/api/v1/performances/{id}", Details, Browsing),
    (Method::GET, "/api/v1/performances/{id}/layout", Seats, Browsing),
    (Method::GET, "/api/v1/performances/{id}/seats", Seats, Buying),
    (Method::GET, "/api/v1/performances/{id}/availability", Seats, Buying),
    (Method::GET, "/api/v1/performances/{id}/events", Seats, Browsing),
    (Method::GET, "/media/{name}", Details, Browsing),
    (Method::GET, "/api/item", Lists, Browsing),
    (Method::GET, "/api/item/{itemNumber}", Details, Browsing),
    (Method::GET, "/api/stock/{itemNumber}", Seats, Buying),
    (Method::POST, "/api/order", Bookings, Buying),
    (Method::GET, "/api/order", Orders, Arriving),
    (Method::GET, "/api/order/{orderId}", Orders, Buying),
    (Method::POST, "/api/order/{orderId}", Payments, Paying),
    (Method::DELETE, "/api/order/{orderId}", Orders, Paying),
    (Method::GET, "/api/v1/queue/rooms/{id}", Line, Browsing),
    (Method::GET, "/api/v1/queue/rooms/{id}/events", Line, Browsing),
    (Method::POST, "/api/v1/queue/tokens", Line, Arriving),
    (Method::GET, "/api/v1/queue/tokens/me", Line, Arriving),
    (Method::DELETE, "/api/v1/queue/tokens/me", Line, Arriving),
    (Method::POST, "/api/v1/auth/login", LogIns, Arriving),
    (Method::POST, "/api/v1/auth/refresh", LogIns, Buying),
    (Method::POST, "/api/v1/auth/logout", LogIns, Arriving),
    (Method::POST, "/api/v1/users", Accounts, Arriving),
    (Method::GET, "/api/v1/users/me", Accounts, Arriving),
    (Method::PATCH, "/api/v1/users/me", Accounts, Arriving),
    (Method::DELETE, "/api/v1/users/me", Accounts, Arriving),
    (Method::GET, "/api/v1/users/me/points", Accounts, Buying),
    (Method::POST, "/api/v1/users/me/points/charge", Payments, Paying),
    (Method::POST, "/api/v1/reservations", Bookings, Buying),
    (Method::GET, "/api/v1/reservations", Orders, Arriving),
    (Method::GET, "/api/v1/reservations/{id}", Orders, Buying),
    (Method::DELETE, "/api/v1/reservations/{id}", Orders, Paying),
    (Method::POST, "/api/v1/payments", Payments, Paying),
    (Method::GET, "/api/item", Lists, Browsing),
    (Method::GET, "/api/item/{itemNumber}", Details, Browsing),
    (Method::GET, "/api/stock/{itemNumber}", Seats, Buying),
    (Method::POST, "/api/order", Bookings, Buying),
    (Method::GET, "/api/order", Orders, Arriving),
    (Method::GET, "/api/order/{orderId}", Orders, Buying),
    (Method::DELETE, "/api/order/{orderId}", Orders, Paying),
    (Method::POST, "/api/order/{orderId}", Payments, Paying),
    (Method::GET, "/media/{name}", Details, Browsing),
    (Method::GET, "/livez", Operation, Paying),
    (Method::GET, "/readyz", Operation, Paying),
    (Method::GET, "/metrics", Operation, Paying),
    (Method::GET, "/problems/{name}", Operation, Browsing),
];

/// What is known of an operation. What runs the sale is never shed because of pressure.
///
/// # Panics
/// If the operation is not in the table.
pub(crate) fn route(method: &Method, path: &str) -> Route {
    if path.starts_with("/api/v1/admin/") {
        return Route { group: Admin, priority: Paying };
    }
    let row = ROUTES.iter().find(|(of, at, ..)| of == method && *at == path);
    match row {
        Some((_, _, group, priority)) => Route { group: *group, priority: *priority },
        None => panic!("{method} {path} is not in the table in door/routes.rs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_in_the_table_and_nothing_else_is() {
        // Building the document looks each operation up.
        let document = serde_json::to_value(crate::openapi()).unwrap();
        for (method, path, ..) in ROUTES {
            let method = method.as_str().to_lowercase();
            assert!(document["paths"][path][&method].is_object(), "{method} {path} is in the table only");
        }
    }
}
