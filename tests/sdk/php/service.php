<?php
// What every step needs: the client, pointed at the service, and short ways to make stores and profiles.

use Twilio\Exceptions\RestException;
use Twilio\Rest\Client;
use Twilio\Rest\Memory;
use Twilio\Rest\Memory\V1;

require getenv('TWILIO_PHP') . '/src/Twilio/autoload.php';

const PATIENCE = 60; // seconds until a step gives up; long, because the machine may be busy

// The SDK has no public way to set the base URL.
final class MemoryHere extends Memory
{
    public function __construct(Client $client, string $baseUrl)
    {
        parent::__construct($client);
        $this->baseUrl = $baseUrl;
    }
}

function memory(?string $authToken = null): V1
{
    $client = new Client(getenv('ACCOUNT_SID'), $authToken ?? getenv('AUTH_TOKEN'));
    return (new MemoryHere($client, getenv('BASE_URL')))->v1;
}

// The classes of a model file are not found by the autoloader.
function load(string ...$resources): void
{
    foreach ($resources as $resource) {
        require_once getenv('TWILIO_PHP') . "/src/Twilio/Rest/Memory/V1/{$resource}Models.php";
    }
}

function expect(mixed $expected, mixed $actual): void
{
    if ($expected !== $actual) {
        throw new LogicException('expected ' . json_encode($expected) . ', not ' . json_encode($actual));
    }
}

function expectRefused(int $status, int $code, callable $call): void
{
    try {
        $call();
    } catch (RestException $refusal) {
        expect([$status, $code], [$refusal->getStatusCode(), $refusal->getCode()]);
        return;
    }
    throw new LogicException("expected $status");
}

function finished(string $statusUrl): array
{
    $deadline = time() + PATIENCE;
    while (time() < $deadline) {
        $operation = memory()->operations(basename($statusUrl))->fetch();
        if (!in_array($operation->status, ['PENDING', 'RUNNING'])) {
            return $operation->toArray();
        }
        usleep(50_000);
    }
    throw new LogicException('the operation does not end');
}

// Runs code in another process, and returns its output.
function elsewhere(string $code): string
{
    $code = 'require ' . var_export(__FILE__, true) . '; ' . $code;
    exec(escapeshellarg(PHP_BINARY) . ' -d display_errors=1 -d log_errors=0 -r ' . escapeshellarg($code), $lines);
    return implode("\n", $lines);
}

// Its model file has a class Meta, and so has the one of trait groups.
function makeStore(): string
{
    return elsewhere('echo makeStoreHere();');
}

function makeStoreHere(): string
{
    load('Store');
    $request = V1\StoreModels::createServiceRequest(['displayName' => 'store-' . bin2hex(random_bytes(8))]);
    return finished(memory()->stores->create($request)->statusUrl)['result']['id'];
}

function makeProfile(string $storeId, array $contact): string
{
    load('Profile');
    $data = V1\ProfileModels::createProfileData(['traits' => ['Contact' => $contact]]);
    return memory()->profiles->create($storeId, $data)->id;
}

// Returns the ID of a merged profile and the canonical one.
function makeAlias(string $storeId): array
{
    $canonical = makeProfile($storeId, ['email' => 'a@example.com']);
    $alias = makeProfile($storeId, ['phone' => '+13175556789']);
    expect($canonical, makeProfile($storeId, ['phone' => '+13175556789', 'email' => 'a@example.com']));
    return [$alias, $canonical];
}
