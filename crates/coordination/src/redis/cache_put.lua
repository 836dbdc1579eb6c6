-- Keeps what was loaded, if it is still the caller who loads. Without an answer: gives loading up.
--
-- KEYS: as for looking. ARGV: the number for loading, until when the answer is fresh and until when it may
-- be served while it is loaded anew, in ms, its lifetime in ms, the answer.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
    return 'late'
end
redis.call('DEL', KEYS[2])
if ARGV[2] then
    redis.call('HSET', KEYS[1], 'fresh_until', ARGV[2], 'stale_until', ARGV[3], 'value', ARGV[5])
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 'ok'
