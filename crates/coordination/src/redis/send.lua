-- Puts a message into a node's inbox unless that is full. What nobody collects goes by itself.
-- KEYS: inbox. ARGV: message, how many fit, lifetime in ms.
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then
    return 'full'
end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 'ok'
