-- Takes a room that nobody runs, or renews one's lease. Answers who runs it.
-- KEYS: runner. ARGV: token, lease in ms.
local runner = redis.call('GET', KEYS[1])
if not runner or runner == 'free' or runner == ARGV[1] then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return ARGV[1]
end
return runner
