//! The API over HTTP, on a real database in a folder of its own. Every walk is a snapshot of
//! all requests and answers, and every answer is checked against the OpenAPI document.

mod accounts;
mod admin;
mod bad_requests;
mod caching;
mod catalogue;
mod document;
mod events;
mod queue;
mod reservations;
mod seats;
mod server;
