-- Gives a lock up and tells those who wait. KEYS: the lock. ARGV: token, channel, what to say on it.
if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', ARGV[2], ARGV[3])
end
return 'ok'
