-- Extends a lock. KEYS: the lock. ARGV: token, lease in ms.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 'lost'
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'ok'
