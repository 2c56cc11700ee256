//! The same Lookup as a Rust team would write it: hyper, serde, and tokio-postgres with prepared statements.
//!
//! The statement is the product's, which also verifies the caller and returns the revision of the store's settings; the
//! settings are cached until it differs. Each request runs a statement of its own; tokio-postgres pipelines those that
//! share a connection. Of a phone number only the digits are kept, which is less work than the product does.

use hyper::header::{HeaderMap, AUTHORIZATION, CONTENT_TYPE};
use hyper::service::{make_service_fn, service_fn};
use hyper::{body, Body, Method, Request, Response, Server, StatusCode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::convert::Infallible;
use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use tokio_postgres::{Client, Config, NoTls, Statement};
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const MAX_ATTEMPTS: usize = 5;
const SETTINGS: &str = "
    select store.revision, store.settings::text
    from credential
    left join store on store.account_id = credential.account_id and store.id = $3 and store.status = 'ACTIVE'
    where credential.sid = $1 and credential.secret_sha256 = $2";

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The HTTP status of an answer without success, and its text.
type Refusal = (StatusCode, &'static str);

const NOT_FOUND: Refusal = (StatusCode::NOT_FOUND, "Not found");
const UNAUTHORIZED: Refusal = (StatusCode::UNAUTHORIZED, "Invalid credentials");
const MALFORMED: Refusal = (StatusCode::BAD_REQUEST, "Expected idType and value");
const REFUSED: Refusal = (StatusCode::BAD_REQUEST, "Value refused");
const UNAVAILABLE: Refusal = (StatusCode::SERVICE_UNAVAILABLE, "Unavailable");

struct Connection {
    client: Client,
    lookup: Statement,
    settings: Statement,
}

struct Caller {
    sid: String,
    digest: Vec<u8>,
}

struct Settings {
    revision: i64,
    normalizations: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identifier {
    id_type: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    normalized_value: String,
    profiles: Vec<String>,
}

#[derive(Deserialize)]
struct StoredSettings {
    identifier_configs: Vec<StoredConfig>,
}

#[derive(Deserialize)]
struct StoredConfig {
    id_type: String,
    normalization: String,
}

struct Service {
    connections: Vec<Connection>,
    turn: AtomicUsize,
    known: RwLock<HashMap<Uuid, Arc<Settings>>>,
}

fn main() -> Result<(), Error> {
    let workers: usize = env::var("PEER_WORKERS")?.parse()?;
    let mut runtime = if workers > 1 {
        let mut several = tokio::runtime::Builder::new_multi_thread();
        several.worker_threads(workers);
        several
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    runtime.enable_all().build()?.block_on(serve())
}

async fn serve() -> Result<(), Error> {
    let size: usize = env::var("PEER_POOL_SIZE")?.parse()?;
    let mut connections = Vec::with_capacity(size);
    for _ in 0..size {
        connections.push(connect().await?);
    }
    let service = Arc::new(Service { connections, turn: AtomicUsize::new(0), known: RwLock::default() });
    let port: u16 = env::var("PEER_PORT")?.parse()?;
    let make_service = make_service_fn(move |_| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service_fn(move |request| respond(service.clone(), request))) }
    });
    Server::bind(&([127, 0, 0, 1], port).into()).tcp_nodelay(true).serve(make_service).await?;
    Ok(())
}

async fn connect() -> Result<Connection, Error> {
    let (client, connection) = Config::new()
        .host(&env::var("PEER_DATABASE_HOST")?)
        .user("postgres")
        .password(env::var("PGPASSWORD")?)
        .dbname(&env::var("PEER_DATABASE")?)
        .options("-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off")
        .connect(NoTls)
        .await?;
    tokio::spawn(connection);
    let lookup = client.prepare(&env::var("PEER_LOOKUP_SQL")?).await?;
    let settings = client.prepare(SETTINGS).await?;
    Ok(Connection { client, lookup, settings })
}

async fn respond(service: Arc<Service>, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let mut response = match service.answer(request).await {
        Ok(found) => Response::new(Body::from(found)),
        Err((status, message)) => {
            let mut refused = Response::new(Body::from(message));
            *refused.status_mut() = status;
            refused
        }
    };
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}

impl Service {
    async fn answer(&self, request: Request<Body>) -> Result<Vec<u8>, Refusal> {
        let store_id = store_of(request.uri().path()).filter(|_| request.method() == Method::POST).ok_or(NOT_FOUND)?;
        let caller = caller_of(request.headers()).ok_or(UNAUTHORIZED)?;
        let body = body::to_bytes(request.into_body()).await.map_err(|_| MALFORMED)?;
        let sent: Identifier = serde_json::from_slice(&body).map_err(|_| MALFORMED)?;
        if !(2..=30).contains(&sent.id_type.len()) || !(1..=255).contains(&sent.value.len()) {
            return Err(MALFORMED);
        }
        let found = self.look_up(&caller, store_id, &sent).await?;
        serde_json::to_vec(&found).map_err(|_| UNAVAILABLE)
    }

    /// Use the cached settings first. If they are not in force, or refuse the value, fetch them.
    async fn look_up(&self, caller: &Caller, store_id: Uuid, sent: &Identifier) -> Result<Found, Refusal> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let connection = &self.connections[turn % self.connections.len()];
        let mut known = self.known.read().unwrap().get(&store_id).cloned();
        for _ in 0..MAX_ATTEMPTS {
            let is_fresh = known.is_none();
            let settings = match known.take() {
                Some(settings) => settings,
                None => self.fetch_settings(connection, caller, store_id).await?,
            };
            match settings.normalizations.get(&sent.id_type).and_then(|kind| normalized(kind, &sent.value)) {
                Some(value) => {
                    if let Some(profiles) = find(connection, caller, store_id, &settings, &sent.id_type, &value).await? {
                        return Ok(Found { normalized_value: value, profiles });
                    }
                }
                None if is_fresh => return Err(REFUSED),
                None => (),
            }
        }
        Err(UNAVAILABLE)
    }

    async fn fetch_settings(
        &self,
        connection: &Connection,
        caller: &Caller,
        store_id: Uuid,
    ) -> Result<Arc<Settings>, Refusal> {
        let rows = connection.client.query(&connection.settings, &[&caller.sid, &caller.digest, &store_id]).await;
        let rows = rows.map_err(|_| UNAVAILABLE)?;
        let row = rows.first().ok_or(UNAUTHORIZED)?;
        let revision = row.get::<_, Option<i64>>(0).ok_or(NOT_FOUND)?;
        let stored: StoredSettings = serde_json::from_str(row.get(1)).map_err(|_| UNAVAILABLE)?;
        let configs = stored.identifier_configs.into_iter();
        let normalizations = configs.map(|config| (config.id_type, config.normalization)).collect();
        let settings = Arc::new(Settings { revision, normalizations });
        self.known.write().unwrap().insert(store_id, settings.clone());
        Ok(settings)
    }
}

/// Return the IDs of the profiles; None if other settings are in force, or if the caller may not look up.
async fn find(
    connection: &Connection,
    caller: &Caller,
    store_id: Uuid,
    settings: &Settings,
    id_type: &str,
    value: &str,
) -> Result<Option<Vec<String>>, Refusal> {
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&caller.sid, &caller.digest, &store_id, &id_type, &value];
    let row = connection.client.query_opt(&connection.lookup, &parameters).await.map_err(|_| UNAVAILABLE)?;
    Ok(row.filter(|row| row.get::<_, i64>(0) == settings.revision).map(|row| {
        let ids: Vec<Uuid> = row.get(1);
        ids.into_iter().map(profile_id).collect()
    }))
}

fn store_of(path: &str) -> Option<Uuid> {
    let id = path.strip_prefix("/v1/Stores/")?.strip_suffix("/Profiles/Lookup")?;
    let suffix = id.strip_prefix("mem_store_").or_else(|| id.strip_prefix("mem_service_"))?;
    if suffix.len() != 26 {
        return None;
    }
    let digits = suffix.bytes().map(|character| ALPHABET.iter().position(|&each| each == character));
    let number = digits.fold(Some(0u128), |number, digit| Some(number? << 5 | digit? as u128));
    number.map(Uuid::from_u128)
}

fn caller_of(headers: &HeaderMap) -> Option<Caller> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(base64::decode(encoded).ok()?).ok()?;
    let (sid, secret) = decoded.split_once(':')?;
    Some(Caller { sid: sid.to_owned(), digest: Sha256::digest(secret).to_vec() })
}

fn normalized(kind: &str, value: &str) -> Option<String> {
    let text = match kind {
        "phone" => phone(value)?,
        "email" => value.split_whitespace().collect::<String>().to_lowercase(),
        "trim" => value.trim().to_owned(),
        "none" => value.to_owned(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

fn phone(value: &str) -> Option<String> {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    match digits.len() {
        10 if !value.starts_with('+') => Some(format!("+1{digits}")),
        8..=15 => Some(format!("+{digits}")),
        _ => None,
    }
}

/// Encode the 128 bits of a UUID as 26 characters of 5 bits, the first of which has 2 leading zero bits.
fn profile_id(id: Uuid) -> String {
    let mut text = *b"mem_profile_00000000000000000000000000";
    let mut number = id.as_u128();
    for place in text[12..].iter_mut().rev() {
        *place = ALPHABET[(number & 31) as usize];
        number >>= 5;
    }
    String::from_utf8_lossy(&text).into_owned()
}
