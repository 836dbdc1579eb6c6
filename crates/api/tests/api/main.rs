//! The API over HTTP, on a real database in a folder of its own. Every walk is a snapshot of
//! all requests and answers, and every answer is checked against the OpenAPI document.

mod access;
mod accounts;
mod admin;
mod bad_requests;
mod caching;
mod catalogue;
mod document;
mod door;
mod events;
mod hoarding;
mod identity;
mod items;
mod media;
mod owners;
mod popular;
mod queue;
mod readiness;
mod reservations;
mod seats;
mod server;
mod texts;
mod webhooks;
