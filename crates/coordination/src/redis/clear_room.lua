-- Takes the copy of a room away before it is written anew, if the caller runs the room.
-- KEYS: runner, then everything of the copy. ARGV: token.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 'lost'
end
for key = 2, #KEYS do
    redis.call('UNLINK', KEYS[key])
end
return 'ok'
