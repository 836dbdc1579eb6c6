-- Gives a room up, so that the next node need not wait for the lease's end.
-- KEYS: runner. ARGV: token, for how many ms to say so.
if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('SET', KEYS[1], 'free', 'PX', ARGV[2])
end
return 'ok'
