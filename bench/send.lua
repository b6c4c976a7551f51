-- SPDX-License-Identifier: Apache-2.0
--
-- wrk's requests: SendMessage over AWS JSON 1.0, each with another body of 200 bytes.
--
--   wrk -t1 -c64 -d3s -s bench/send.lua http://127.0.0.1:9324 -- QUEUE_URL
--
-- A body is a serial number and a piece of a random text, so that none comes twice. The last line
-- of the output is for bench/run: answers below 400, the others, errors of the connection, and
-- microseconds.

local BODY_BYTES = 200
local letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;-_+*/()=!?"
local prefix, text
local serial = 0

local function random_text(count)
    local piece = {}
    for i = 1, count do
        local at = math.random(#letters)
        piece[i] = letters:sub(at, at)
    end
    return table.concat(piece)
end

function init(arguments)
    math.randomseed(os.time())
    text = random_text(65536)
    prefix = '{"QueueUrl":"' .. arguments[1] .. '","MessageBody":"'
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/x-amz-json-1.0"
    wrk.headers["X-Amz-Target"] = "AmazonSQS.SendMessage"
end

function request()
    serial = serial + 1
    local number = string.format("%012d ", serial)
    local at = (serial * 7919) % (#text - BODY_BYTES) + 1
    local body = prefix .. number .. text:sub(at, at + BODY_BYTES - #number - 1) .. '"}'
    return wrk.format(nil, nil, nil, body)
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("result %d %d %d %d %d %d\n",
        summary.requests - errors.status, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout, summary.duration,
        latency:percentile(50), latency:percentile(99)))
end
