-- SPDX-License-Identifier: Apache-2.0
--
-- wrk's requests: receive ten, delete ten, until wrk is told to stop.
--
--   wrk -t1 -c16 -d30s -s bench/drain.lua http://127.0.0.1:9324 -- QUEUE_URL
--
-- The last line of the output is for bench/run: answers of 400 and above, and errors of the
-- connection.

local queue, receive
local batches = {} -- of receipt handles, to be deleted

local function ask(action, body)
    return wrk.format("POST", "/", {
        ["Content-Type"] = "application/x-amz-json-1.0",
        ["X-Amz-Target"] = "AmazonSQS." .. action,
    }, body)
end

function init(arguments)
    queue = '{"QueueUrl":"' .. arguments[1] .. '",'
    receive = ask("ReceiveMessage", queue .. '"MaxNumberOfMessages":10}')
end

function request()
    local batch = table.remove(batches)
    if batch == nil then return receive end
    local entries = {}
    for i, handle in ipairs(batch) do
        entries[i] = '{"Id":"' .. i .. '","ReceiptHandle":"' .. handle .. '"}'
    end
    return ask("DeleteMessageBatch", queue .. '"Entries":[' .. table.concat(entries, ",") .. "]}")
end

function response(status, headers, body)
    local batch = {}
    for handle in body:gmatch('"ReceiptHandle":"([^"]+)"') do batch[#batch + 1] = handle end
    if #batch > 0 then batches[#batches + 1] = batch end
end

function done(summary)
    local errors = summary.errors
    io.write(string.format("result %d %d\n", errors.status,
        errors.connect + errors.read + errors.write + errors.timeout))
end
