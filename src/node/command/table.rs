//! All commands of Redis 6.2, sorted by name.
//!
//! Arity, traits and positions of keys are those that COMMAND shows. Commands that a virtual node does
//! not model are here, too, so that a wrong number of arguments is told as in Redis.

use crate::node::command::call::Call;
use crate::node::command::error::Answer;
use crate::node::command::spec::{Action, KeyPositions, Spec, Traits};
use crate::node::command::{
    Outcome, blocking, cluster, connection, debug, hash, key, list, migrate, publish, replicate,
    scan, server, set, slowlog, standalone, stream, string, transaction, wait,
};

use Action::NotModelled;

const fn answer(command: fn(&mut Call<'_, '_>) -> Answer) -> Action {
    Action::Answer(command)
}

const fn in_cluster(command: fn(&mut Call<'_, '_>) -> Answer) -> Action {
    Action::InCluster(command)
}

const fn control(command: fn(&mut Call<'_, '_>) -> Outcome) -> Action {
    Action::Control(command)
}

const fn command(
    name: &'static str,
    arity: i8,
    traits: u32,
    [first, last, step]: [i8; 3],
    categories: &'static [&'static str],
    action: Action,
) -> Spec {
    let keys = KeyPositions { first: first as u8, last, step: step as u8 };
    Spec { number: 0, name, arity, traits: Traits(traits), keys, categories, action }
}

/// Gives each command its number.
const fn numbered<const COUNT: usize>(mut specs: [Spec; COUNT]) -> [Spec; COUNT] {
    let mut at = 0;
    while at < COUNT {
        specs[at].number = at;
        at += 1;
    }
    specs
}

const WRITE: u32 = Traits::WRITE.0;
const READONLY: u32 = Traits::READONLY.0;
const DENYOOM: u32 = Traits::DENYOOM.0;
const ADMIN: u32 = Traits::ADMIN.0;
const PUBSUB: u32 = Traits::PUBSUB.0;
const NOSCRIPT: u32 = Traits::NOSCRIPT.0;
const RANDOM: u32 = Traits::RANDOM.0;
const SORT_FOR_SCRIPT: u32 = Traits::SORT_FOR_SCRIPT.0;
const LOADING: u32 = Traits::LOADING.0;
const STALE: u32 = Traits::STALE.0;
const SKIP_MONITOR: u32 = Traits::SKIP_MONITOR.0;
const SKIP_SLOWLOG: u32 = Traits::SKIP_SLOWLOG.0;
const ASKING: u32 = Traits::ASKING.0;
const FAST: u32 = Traits::FAST.0;
const NO_AUTH: u32 = Traits::NO_AUTH.0;
const MAY_REPLICATE: u32 = Traits::MAY_REPLICATE.0;
const MOVABLEKEYS: u32 = Traits::MOVABLEKEYS.0;

/// The commands, sorted by name.
#[rustfmt::skip]
pub(crate) static COMMANDS: [Spec; 224] = numbered([
    command("acl", -2, ADMIN | NOSCRIPT | LOADING | STALE, [0, 0, 0], &[], NotModelled),
    command("append", 3, WRITE | DENYOOM | FAST, [1, 1, 1], &["string"], answer(string::append)),
    command("asking", 1, FAST, [0, 0, 0], &["keyspace"], in_cluster(connection::asking)),
    command("auth", -2, NOSCRIPT | LOADING | STALE | FAST | NO_AUTH, [0, 0, 0], &["connection"], answer(connection::auth)),
    command("bgrewriteaof", 1, ADMIN | NOSCRIPT, [0, 0, 0], &[], answer(server::bgrewriteaof)),
    command("bgsave", -1, ADMIN | NOSCRIPT, [0, 0, 0], &[], answer(server::bgsave)),
    command("bitcount", -2, READONLY, [1, 1, 1], &["bitmap"], NotModelled),
    command("bitfield", -2, WRITE | DENYOOM, [1, 1, 1], &["bitmap"], NotModelled),
    command("bitfield_ro", -2, READONLY | FAST, [1, 1, 1], &["bitmap"], NotModelled),
    command("bitop", -4, WRITE | DENYOOM, [2, -1, 1], &["bitmap"], NotModelled),
    command("bitpos", -3, READONLY, [1, 1, 1], &["bitmap"], NotModelled),
    command("blmove", 6, WRITE | DENYOOM | NOSCRIPT, [1, 2, 1], &["list", "blocking"], control(blocking::blmove)),
    command("blpop", -3, WRITE | NOSCRIPT, [1, -2, 1], &["list", "blocking"], control(blocking::blpop)),
    command("brpop", -3, WRITE | NOSCRIPT, [1, -2, 1], &["list", "blocking"], control(blocking::brpop)),
    command("brpoplpush", 4, WRITE | DENYOOM | NOSCRIPT, [1, 2, 1], &["list", "blocking"], control(blocking::brpoplpush)),
    command("bzpopmax", -3, WRITE | NOSCRIPT | FAST, [1, -2, 1], &["sortedset", "blocking"], NotModelled),
    command("bzpopmin", -3, WRITE | NOSCRIPT | FAST, [1, -2, 1], &["sortedset", "blocking"], NotModelled),
    command("client", -2, ADMIN | NOSCRIPT | RANDOM | LOADING | STALE, [0, 0, 0], &["connection"], control(connection::client)),
    command("cluster", -2, ADMIN | RANDOM | STALE, [0, 0, 0], &[], in_cluster(cluster::cluster)),
    command("command", -1, RANDOM | LOADING | STALE, [0, 0, 0], &["connection"], answer(server::command)),
    command("config", -2, ADMIN | NOSCRIPT | LOADING | STALE, [0, 0, 0], &[], answer(server::config)),
    command("copy", -3, WRITE | DENYOOM, [1, 2, 1], &["keyspace"], answer(key::copy)),
    command("dbsize", 1, READONLY | FAST, [0, 0, 0], &["keyspace"], answer(key::dbsize)),
    command("debug", -2, ADMIN | NOSCRIPT | LOADING | STALE, [0, 0, 0], &[], control(debug::debug)),
    command("decr", 2, WRITE | DENYOOM | FAST, [1, 1, 1], &["string"], answer(string::decr)),
    command("decrby", 3, WRITE | DENYOOM | FAST, [1, 1, 1], &["string"], answer(string::decrby)),
    command("del", -2, WRITE, [1, -1, 1], &["keyspace"], answer(key::del)),
    command("discard", 1, NOSCRIPT | LOADING | STALE | FAST, [0, 0, 0], &["transaction"], answer(transaction::discard_command)),
    command("dump", 2, READONLY | RANDOM, [1, 1, 1], &["keyspace"], answer(migrate::dump)),
    command("echo", 2, FAST, [0, 0, 0], &["connection"], answer(connection::echo)),
    command("eval", -3, NOSCRIPT | SKIP_MONITOR | MAY_REPLICATE | MOVABLEKEYS, [0, 0, 0], &["scripting"], NotModelled),
    command("evalsha", -3, NOSCRIPT | SKIP_MONITOR | MAY_REPLICATE | MOVABLEKEYS, [0, 0, 0], &["scripting"], NotModelled),
    command("exec", 1, NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG, [0, 0, 0], &["transaction"], control(transaction::exec)),
    command("exists", -2, READONLY | FAST, [1, -1, 1], &["keyspace"], answer(key::exists)),
    command("expire", 3, WRITE | FAST, [1, 1, 1], &["keyspace"], answer(key::expire)),
    command("expireat", 3, WRITE | FAST, [1, 1, 1], &["keyspace"], answer(key::expireat)),
    command("failover", -1, ADMIN | NOSCRIPT | STALE, [0, 0, 0], &[], answer(standalone::failover)),
    command("flushall", -1, WRITE, [0, 0, 0], &["keyspace", "dangerous"], answer(key::flushall)),
    command("flushdb", -1, WRITE, [0, 0, 0], &["keyspace", "dangerous"], answer(key::flushdb)),
    command("geoadd", -5, WRITE | DENYOOM, [1, 1, 1], &["geo"], NotModelled),
    command("geodist", -4, READONLY, [1, 1, 1], &["geo"], NotModelled),
    command("geohash", -2, READONLY, [1, 1, 1], &["geo"], NotModelled),
    command("geopos", -2, READONLY, [1, 1, 1], &["geo"], NotModelled),
    command("georadius", -6, WRITE | DENYOOM | MOVABLEKEYS, [1, 1, 1], &["geo"], NotModelled),
    command("georadius_ro", -6, READONLY, [1, 1, 1], &["geo"], NotModelled),
    command("georadiusbymember", -5, WRITE | DENYOOM | MOVABLEKEYS, [1, 1, 1], &["geo"], NotModelled),
    command("georadiusbymember_ro", -5, READONLY, [1, 1, 1], &["geo"], NotModelled),
    command("geosearch", -7, READONLY, [1, 1, 1], &["geo"], NotModelled),
    command("geosearchstore", -8, WRITE | DENYOOM, [1, 2, 1], &["geo"], NotModelled),
    command("get", 2, READONLY | FAST, [1, 1, 1], &["string"], answer(string::get)),
    command("getbit", 3, READONLY | FAST, [1, 1, 1], &["bitmap"], NotModelled),
    command("getdel", 2, WRITE | FAST, [1, 1, 1], &["string"], answer(string::getdel)),
    command("getex", -2, WRITE | FAST, [1, 1, 1], &["string"], answer(string::getex)),
    command("getrange", 4, READONLY, [1, 1, 1], &["string"], answer(string::getrange)),
    command("getset", 3, WRITE | DENYOOM | FAST, [1, 1, 1], &["string"], answer(string::getset)),
    command("hdel", -3, WRITE | FAST, [1, 1, 1], &["hash"], answer(hash::hdel)),
    command("hello", -1, NOSCRIPT | LOADING | STALE | FAST | NO_AUTH, [0, 0, 0], &["connection"], answer(connection::hello)),
    command("hexists", 3, READONLY | FAST, [1, 1, 1], &["hash"], answer(hash::hexists)),
    command("hget", 3, READONLY | FAST, [1, 1, 1], &["hash"], answer(hash::hget)),
    command("hgetall", 2, READONLY | RANDOM, [1, 1, 1], &["hash"], answer(hash::hgetall)),
    command("hincrby", 4, WRITE | DENYOOM | FAST, [1, 1, 1], &["hash"], answer(hash::hincrby)),
    command("hincrbyfloat", 4, WRITE | DENYOOM | FAST, [1, 1, 1], &["hash"], NotModelled),
    command("hkeys", 2, READONLY | SORT_FOR_SCRIPT, [1, 1, 1], &["hash"], answer(hash::hkeys)),
    command("hlen", 2, READONLY | FAST, [1, 1, 1], &["hash"], answer(hash::hlen)),
    command("hmget", -3, READONLY | FAST, [1, 1, 1], &["hash"], answer(hash::hmget)),
    command("hmset", -4, WRITE | DENYOOM | FAST, [1, 1, 1], &["hash"], answer(hash::hmset)),
    command("host:", -1, READONLY | LOADING | STALE, [0, 0, 0], &[], NotModelled),
    command("hrandfield", -2, READONLY | RANDOM, [1, 1, 1], &["hash"], NotModelled),
    command("hscan", -3, READONLY | RANDOM, [1, 1, 1], &["hash"], answer(scan::hscan)),
    command("hset", -4, WRITE | DENYOOM | FAST, [1, 1, 1], &["hash"], answer(hash::hset)),
    command("hsetnx", 4, WRITE | DENYOOM | FAST, [1, 1, 1], &["hash"], answer(hash::hsetnx)),
    command("hstrlen", 3, READONLY | FAST, [1, 1, 1], &["hash"], answer(hash::hstrlen)),
    command("hvals", 2, READONLY | SORT_FOR_SCRIPT, [1, 1, 1], &["hash"], answer(hash::hvals)),
    command("incr", 2, WRITE | DENYOOM | FAST, [1, 1, 1], &["string"], answer(string::incr)),
    command("incrby", 3, WRITE | DENYOOM | FAST, [1, 1, 1], &["string"], answer(string::incrby)),
    command("incrbyfloat", 3, WRITE | DENYOOM | FAST, [1, 1, 1], &["string"], NotModelled),
    command("info", -1, RANDOM | LOADING | STALE, [0, 0, 0], &["dangerous"], answer(server::info)),
    command("keys", 2, READONLY | SORT_FOR_SCRIPT, [0, 0, 0], &["keyspace", "dangerous"], answer(key::keys)),
    command("lastsave", 1, RANDOM | LOADING | STALE | FAST, [0, 0, 0], &["admin", "dangerous"], answer(server::lastsave)),
    command("latency", -2, ADMIN | NOSCRIPT | LOADING | STALE, [0, 0, 0], &[], NotModelled),
    command("lindex", 3, READONLY, [1, 1, 1], &["list"], answer(list::lindex)),
    command("linsert", 5, WRITE | DENYOOM, [1, 1, 1], &["list"], answer(list::linsert)),
    command("llen", 2, READONLY | FAST, [1, 1, 1], &["list"], answer(list::llen)),
    command("lmove", 5, WRITE | DENYOOM, [1, 2, 1], &["list"], answer(list::lmove)),
    command("lolwut", -1, READONLY | FAST, [0, 0, 0], &[], NotModelled),
    command("lpop", -2, WRITE | FAST, [1, 1, 1], &["list"], answer(list::lpop)),
    command("lpos", -3, READONLY, [1, 1, 1], &["list"], answer(list::lpos)),
    command("lpush", -3, WRITE | DENYOOM | FAST, [1, 1, 1], &["list"], answer(list::lpush)),
    command("lpushx", -3, WRITE | DENYOOM | FAST, [1, 1, 1], &["list"], answer(list::lpushx)),
    command("lrange", 4, READONLY, [1, 1, 1], &["list"], answer(list::lrange)),
    command("lrem", 4, WRITE, [1, 1, 1], &["list"], answer(list::lrem)),
    command("lset", 4, WRITE | DENYOOM, [1, 1, 1], &["list"], answer(list::lset)),
    command("ltrim", 4, WRITE, [1, 1, 1], &["list"], answer(list::ltrim)),
    command("memory", -2, READONLY | RANDOM | MOVABLEKEYS, [0, 0, 0], &[], NotModelled),
    command("mget", -2, READONLY | FAST, [1, -1, 1], &["string"], answer(string::mget)),
    command("migrate", -6, WRITE | RANDOM | MOVABLEKEYS, [0, 0, 0], &["keyspace", "dangerous"], control(migrate::migrate)),
    command("module", -2, ADMIN | NOSCRIPT, [0, 0, 0], &[], NotModelled),
    command("monitor", 1, ADMIN | NOSCRIPT | LOADING | STALE, [0, 0, 0], &[], NotModelled),
    command("move", 3, WRITE | FAST, [1, 1, 1], &["keyspace"], answer(standalone::move_key)),
    command("mset", -3, WRITE | DENYOOM, [1, -1, 2], &["string"], answer(string::mset)),
    command("msetnx", -3, WRITE | DENYOOM, [1, -1, 2], &["string"], answer(string::msetnx)),
    command("multi", 1, NOSCRIPT | LOADING | STALE | FAST, [0, 0, 0], &["transaction"], answer(transaction::multi)),
    command("object", -2, READONLY | RANDOM, [2, 2, 1], &["keyspace"], answer(key::object)),
    command("persist", 2, WRITE | FAST, [1, 1, 1], &["keyspace"], answer(key::persist)),
    command("pexpire", 3, WRITE | FAST, [1, 1, 1], &["keyspace"], answer(key::pexpire)),
    command("pexpireat", 3, WRITE | FAST, [1, 1, 1], &["keyspace"], answer(key::pexpireat)),
    command("pfadd", -2, WRITE | DENYOOM | FAST, [1, 1, 1], &["hyperloglog"], NotModelled),
    command("pfcount", -2, READONLY | MAY_REPLICATE, [1, -1, 1], &["hyperloglog"], NotModelled),
    command("pfdebug", -3, WRITE | DENYOOM | ADMIN, [2, 2, 1], &["hyperloglog"], NotModelled),
    command("pfmerge", -2, WRITE | DENYOOM, [1, -1, 1], &["hyperloglog"], NotModelled),
    command("pfselftest", 1, ADMIN, [0, 0, 0], &["hyperloglog"], NotModelled),
    command("ping", -1, STALE | FAST, [0, 0, 0], &["connection"], answer(connection::ping)),
    command("post", -1, READONLY | LOADING | STALE, [0, 0, 0], &[], NotModelled),
    command("psetex", 4, WRITE | DENYOOM, [1, 1, 1], &["string"], answer(string::psetex)),
    command("psubscribe", -2, PUBSUB | NOSCRIPT | LOADING | STALE, [0, 0, 0], &[], control(publish::psubscribe)),
    command("psync", -3, ADMIN | NOSCRIPT, [0, 0, 0], &[], answer(replicate::psync)),
    command("pttl", 2, READONLY | RANDOM | FAST, [1, 1, 1], &["keyspace"], answer(key::pttl)),
    command("publish", 3, PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE, [0, 0, 0], &[], answer(publish::publish)),
    command("pubsub", -2, PUBSUB | RANDOM | LOADING | STALE, [0, 0, 0], &[], answer(publish::pubsub)),
    command("punsubscribe", -1, PUBSUB | NOSCRIPT | LOADING | STALE, [0, 0, 0], &[], control(publish::punsubscribe)),
    command("randomkey", 1, READONLY | RANDOM, [0, 0, 0], &["keyspace"], answer(key::randomkey)),
    command("readonly", 1, FAST, [0, 0, 0], &["keyspace"], in_cluster(connection::readonly)),
    command("readwrite", 1, FAST, [0, 0, 0], &["keyspace"], answer(connection::readwrite)),
    command("rename", 3, WRITE, [1, 2, 1], &["keyspace"], answer(key::rename)),
    command("renamenx", 3, WRITE | FAST, [1, 2, 1], &["keyspace"], answer(key::renamenx)),
    command("replconf", -1, ADMIN | NOSCRIPT | LOADING | STALE, [0, 0, 0], &[], control(replicate::replconf)),
    command("replicaof", 3, ADMIN | NOSCRIPT | STALE, [0, 0, 0], &[], answer(standalone::replicaof)),
    command("reset", 1, NOSCRIPT | LOADING | STALE | FAST, [0, 0, 0], &["connection"], control(connection::reset)),
    command("restore", -4, WRITE | DENYOOM, [1, 1, 1], &["keyspace", "dangerous"], answer(migrate::restore)),
    command("restore-asking", -4, WRITE | DENYOOM | ASKING, [1, 1, 1], &["keyspace", "dangerous"], answer(migrate::restore)),
    command("role", 1, NOSCRIPT | LOADING | STALE | FAST, [0, 0, 0], &["dangerous"], answer(replicate::role)),
    command("rpop", -2, WRITE | FAST, [1, 1, 1], &["list"], answer(list::rpop)),
    command("rpoplpush", 3, WRITE | DENYOOM, [1, 2, 1], &["list"], answer(list::rpoplpush)),
    command("rpush", -3, WRITE | DENYOOM | FAST, [1, 1, 1], &["list"], answer(list::rpush)),
    command("rpushx", -3, WRITE | DENYOOM | FAST, [1, 1, 1], &["list"], answer(list::rpushx)),
    command("sadd", -3, WRITE | DENYOOM | FAST, [1, 1, 1], &["set"], answer(set::sadd)),
    command("save", 1, ADMIN | NOSCRIPT, [0, 0, 0], &[], answer(server::save)),
    command("scan", -2, READONLY | RANDOM, [0, 0, 0], &["keyspace"], answer(scan::scan)),
    command("scard", 2, READONLY | FAST, [1, 1, 1], &["set"], answer(set::scard)),
    command("script", -2, NOSCRIPT | MAY_REPLICATE, [0, 0, 0], &["scripting"], NotModelled),
    command("sdiff", -2, READONLY | SORT_FOR_SCRIPT, [1, -1, 1], &["set"], answer(set::sdiff)),
    command("sdiffstore", -3, WRITE | DENYOOM, [1, -1, 1], &["set"], answer(set::sdiffstore)),
    command("select", 2, LOADING | STALE | FAST, [0, 0, 0], &["keyspace"], answer(connection::select)),
    command("set", -3, WRITE | DENYOOM, [1, 1, 1], &["string"], answer(string::set)),
    command("setbit", 4, WRITE | DENYOOM, [1, 1, 1], &["bitmap"], NotModelled),
    command("setex", 4, WRITE | DENYOOM, [1, 1, 1], &["string"], answer(string::setex)),
    command("setnx", 3, WRITE | DENYOOM | FAST, [1, 1, 1], &["string"], answer(string::setnx)),
    command("setrange", 4, WRITE | DENYOOM, [1, 1, 1], &["string"], answer(string::setrange)),
    command("shutdown", -1, ADMIN | NOSCRIPT | LOADING | STALE, [0, 0, 0], &[], control(server::shutdown)),
    command("sinter", -2, READONLY | SORT_FOR_SCRIPT, [1, -1, 1], &["set"], answer(set::sinter)),
    command("sinterstore", -3, WRITE | DENYOOM, [1, -1, 1], &["set"], answer(set::sinterstore)),
    command("sismember", 3, READONLY | FAST, [1, 1, 1], &["set"], answer(set::sismember)),
    command("slaveof", 3, ADMIN | NOSCRIPT | STALE, [0, 0, 0], &[], answer(standalone::replicaof)),
    command("slowlog", -2, ADMIN | RANDOM | LOADING | STALE, [0, 0, 0], &[], answer(slowlog::slowlog)),
    command("smembers", 2, READONLY | SORT_FOR_SCRIPT, [1, 1, 1], &["set"], answer(set::smembers)),
    command("smismember", -3, READONLY | FAST, [1, 1, 1], &["set"], answer(set::smismember)),
    command("smove", 4, WRITE | FAST, [1, 2, 1], &["set"], answer(set::smove)),
    command("sort", -2, WRITE | DENYOOM | MOVABLEKEYS, [1, 1, 1], &["set", "sortedset", "list", "dangerous"], NotModelled),
    command("spop", -2, WRITE | RANDOM | FAST, [1, 1, 1], &["set"], answer(set::spop)),
    command("srandmember", -2, READONLY | RANDOM, [1, 1, 1], &["set"], answer(set::srandmember)),
    command("srem", -3, WRITE | FAST, [1, 1, 1], &["set"], answer(set::srem)),
    command("sscan", -3, READONLY | RANDOM, [1, 1, 1], &["set"], answer(scan::sscan)),
    command("stralgo", -2, READONLY | MOVABLEKEYS, [0, 0, 0], &["string"], NotModelled),
    command("strlen", 2, READONLY | FAST, [1, 1, 1], &["string"], answer(string::strlen)),
    command("subscribe", -2, PUBSUB | NOSCRIPT | LOADING | STALE, [0, 0, 0], &[], control(publish::subscribe)),
    command("substr", 4, READONLY, [1, 1, 1], &["string"], answer(string::getrange)),
    command("sunion", -2, READONLY | SORT_FOR_SCRIPT, [1, -1, 1], &["set"], answer(set::sunion)),
    command("sunionstore", -3, WRITE | DENYOOM, [1, -1, 1], &["set"], answer(set::sunionstore)),
    command("swapdb", 3, WRITE | FAST, [0, 0, 0], &["keyspace", "dangerous"], answer(standalone::swapdb)),
    command("sync", 1, ADMIN | NOSCRIPT, [0, 0, 0], &[], control(replicate::sync)),
    command("time", 1, RANDOM | LOADING | STALE | FAST, [0, 0, 0], &[], answer(server::time)),
    command("touch", -2, READONLY | FAST, [1, -1, 1], &["keyspace"], answer(key::exists)),
    command("ttl", 2, READONLY | RANDOM | FAST, [1, 1, 1], &["keyspace"], answer(key::ttl)),
    command("type", 2, READONLY | FAST, [1, 1, 1], &["keyspace"], answer(key::type_of)),
    command("unlink", -2, WRITE | FAST, [1, -1, 1], &["keyspace"], answer(key::del)),
    command("unsubscribe", -1, PUBSUB | NOSCRIPT | LOADING | STALE, [0, 0, 0], &[], control(publish::unsubscribe)),
    command("unwatch", 1, NOSCRIPT | LOADING | STALE | FAST, [0, 0, 0], &["transaction"], answer(transaction::unwatch)),
    command("wait", 3, NOSCRIPT, [0, 0, 0], &["keyspace"], control(wait::wait)),
    command("watch", -2, NOSCRIPT | LOADING | STALE | FAST, [1, -1, 1], &["transaction"], answer(transaction::watch)),
    command("xack", -4, WRITE | RANDOM | FAST, [1, 1, 1], &["stream"], NotModelled),
    command("xadd", -5, WRITE | DENYOOM | RANDOM | FAST, [1, 1, 1], &["stream"], answer(stream::xadd)),
    command("xautoclaim", -6, WRITE | RANDOM | FAST, [1, 1, 1], &["stream"], NotModelled),
    command("xclaim", -6, WRITE | RANDOM | FAST, [1, 1, 1], &["stream"], NotModelled),
    command("xdel", -3, WRITE | FAST, [1, 1, 1], &["stream"], NotModelled),
    command("xgroup", -2, WRITE | DENYOOM, [2, 2, 1], &["stream"], NotModelled),
    command("xinfo", -2, READONLY | RANDOM, [2, 2, 1], &["stream"], NotModelled),
    command("xlen", 2, READONLY | FAST, [1, 1, 1], &["stream"], answer(stream::xlen)),
    command("xpending", -3, READONLY | RANDOM, [1, 1, 1], &["stream"], NotModelled),
    command("xrange", -4, READONLY, [1, 1, 1], &["stream"], answer(stream::xrange)),
    command("xread", -4, READONLY | MOVABLEKEYS, [0, 0, 0], &["stream", "blocking"], control(stream::xread)),
    command("xreadgroup", -7, WRITE | MOVABLEKEYS, [0, 0, 0], &["stream", "blocking"], NotModelled),
    command("xrevrange", -4, READONLY, [1, 1, 1], &["stream"], NotModelled),
    command("xsetid", 3, WRITE | DENYOOM | FAST, [1, 1, 1], &["stream"], NotModelled),
    command("xtrim", -4, WRITE | RANDOM, [1, 1, 1], &["stream"], NotModelled),
    command("zadd", -4, WRITE | DENYOOM | FAST, [1, 1, 1], &["sortedset"], NotModelled),
    command("zcard", 2, READONLY | FAST, [1, 1, 1], &["sortedset"], NotModelled),
    command("zcount", 4, READONLY | FAST, [1, 1, 1], &["sortedset"], NotModelled),
    command("zdiff", -3, READONLY | MOVABLEKEYS, [0, 0, 0], &["sortedset"], NotModelled),
    command("zdiffstore", -4, WRITE | DENYOOM | MOVABLEKEYS, [1, 1, 1], &["sortedset"], NotModelled),
    command("zincrby", 4, WRITE | DENYOOM | FAST, [1, 1, 1], &["sortedset"], NotModelled),
    command("zinter", -3, READONLY | MOVABLEKEYS, [0, 0, 0], &["sortedset"], NotModelled),
    command("zinterstore", -4, WRITE | DENYOOM | MOVABLEKEYS, [1, 1, 1], &["sortedset"], NotModelled),
    command("zlexcount", 4, READONLY | FAST, [1, 1, 1], &["sortedset"], NotModelled),
    command("zmscore", -3, READONLY | FAST, [1, 1, 1], &["sortedset"], NotModelled),
    command("zpopmax", -2, WRITE | FAST, [1, 1, 1], &["sortedset"], NotModelled),
    command("zpopmin", -2, WRITE | FAST, [1, 1, 1], &["sortedset"], NotModelled),
    command("zrandmember", -2, READONLY | RANDOM, [1, 1, 1], &["sortedset"], NotModelled),
    command("zrange", -4, READONLY, [1, 1, 1], &["sortedset"], NotModelled),
    command("zrangebylex", -4, READONLY, [1, 1, 1], &["sortedset"], NotModelled),
    command("zrangebyscore", -4, READONLY, [1, 1, 1], &["sortedset"], NotModelled),
    command("zrangestore", -5, WRITE | DENYOOM, [1, 2, 1], &["sortedset"], NotModelled),
    command("zrank", 3, READONLY | FAST, [1, 1, 1], &["sortedset"], NotModelled),
    command("zrem", -3, WRITE | FAST, [1, 1, 1], &["sortedset"], NotModelled),
    command("zremrangebylex", 4, WRITE, [1, 1, 1], &["sortedset"], NotModelled),
    command("zremrangebyrank", 4, WRITE, [1, 1, 1], &["sortedset"], NotModelled),
    command("zremrangebyscore", 4, WRITE, [1, 1, 1], &["sortedset"], NotModelled),
    command("zrevrange", -4, READONLY, [1, 1, 1], &["sortedset"], NotModelled),
    command("zrevrangebylex", -4, READONLY, [1, 1, 1], &["sortedset"], NotModelled),
    command("zrevrangebyscore", -4, READONLY, [1, 1, 1], &["sortedset"], NotModelled),
    command("zrevrank", 3, READONLY | FAST, [1, 1, 1], &["sortedset"], NotModelled),
    command("zscan", -3, READONLY | RANDOM, [1, 1, 1], &["sortedset"], NotModelled),
    command("zscore", 3, READONLY | FAST, [1, 1, 1], &["sortedset"], NotModelled),
    command("zunion", -3, READONLY | MOVABLEKEYS, [0, 0, 0], &["sortedset"], NotModelled),
    command("zunionstore", -4, WRITE | DENYOOM | MOVABLEKEYS, [1, 1, 1], &["sortedset"], NotModelled),
]);

/// The longest name.
const LONGEST: usize = 24;

/// Where the first command is whose name has this first letter and this length; behind the last one if
/// there is none.
static PLACES: [[u8; LONGEST + 1]; 26] = {
    let mut places = [[COMMANDS.len() as u8; LONGEST + 1]; 26];
    let mut at = COMMANDS.len();
    while at > 0 {
        at -= 1;
        let name = COMMANDS[at].name.as_bytes();
        places[(name[0] - b'a') as usize][name.len()] = at as u8;
    }
    places
};

/// The command of this name, in any case.
pub(crate) fn find(name: &[u8]) -> Option<&'static Spec> {
    let letter = name.first()?.to_ascii_lowercase().checked_sub(b'a')?;
    let place = PLACES.get(usize::from(letter))?.get(name.len())?;
    COMMANDS[usize::from(*place)..].iter().find(|spec| is_name(spec.name, name))
}

/// Whether a word is this name, which has no capitals.
fn is_name(name: &str, word: &[u8]) -> bool {
    let lower = word.iter().map(u8::to_ascii_lowercase);
    name.len() == word.len() && name.bytes().zip(lower).all(|(known, said)| known == said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_sorted_and_know_their_numbers() {
        assert!(COMMANDS.is_sorted_by(|a, b| a.name < b.name));
        assert!(COMMANDS.iter().enumerate().all(|(number, spec)| spec.number == number));
    }

    #[test]
    fn a_command_is_found_in_any_case() {
        assert_eq!(find(b"GeT").map(|spec| spec.name), Some("get"));
        for spec in &COMMANDS {
            assert_eq!(find(spec.name.as_bytes()).map(|found| found.name), Some(spec.name));
        }
        for nobody in ["gett", "", "zz", "0", "{", "~~~"] {
            assert!(find(nobody.as_bytes()).is_none(), "{nobody}");
        }
        assert!(find(&[b'x'; 100]).is_none());
    }
}
