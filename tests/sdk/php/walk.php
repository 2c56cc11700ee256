<?php
// The unmodified official SDK for PHP works with all resources.
//     TWILIO_PHP=a-checkout-of-twilio-php BASE_URL=… ACCOUNT_SID=… AUTH_TOKEN=… php walk.php
//
// It needs php-cli and php-curl. Each step runs in a process of its own, since some classes of the SDK exist twice.

require __DIR__ . '/service.php';

use Twilio\Rest\Memory\V1;

$steps = [
    'a store is created and filled, and a lookup finds the merged profile' => function () {
        load('Lookup');
        $storeId = makeStore();
        [, $canonical] = makeAlias($storeId);
        $phone = V1\LookupModels::createIdentifier(['idType' => 'phone', 'value' => '(317) 555-6789']);
        $found = memory()->lookup->create($storeId, $phone);
        expect(['+13175556789', [$canonical]], [$found->normalizedValue, $found->profiles]);
        expectRefused(401, 20003, fn () => memory('a wrong token')->lookup->create($storeId, $phone));
        $fax = V1\LookupModels::createIdentifier(['idType' => 'fax', 'value' => '1']);
        expectRefused(400, 520046, fn () => memory()->lookup->create($storeId, $fax));
    },
    'a batch is written, and its operation completes' => function () {
        load('Bulk'); // has a class ProfileData, and so has Profile
        $storeId = makeStore();
        $profile = V1\BulkModels::createProfileData(['traits' => ['Contact' => ['email' => 'a@example.com']]]);
        $batch = V1\BulkModels::createUpdateProfilesBulkRequest(['profiles' => [$profile]]);
        $accepted = memory()->bulk->updateWithMetadata($storeId, $batch); // the SDK has no property for statusUrl
        expect('COMPLETED', finished(trim($accepted->getHeaders()['location']))['status']);
        expect(1, count(memory()->profiles->read($storeId)));
    },
    'a file is imported, and its results are fetched' => function () {
        load('Import');
        $storeId = makeStore();
        $content = "E-mail,City\na@example.com,Gary\n";
        $columns = [
            ['columnName' => 'E-mail', 'traitGroup' => 'Contact', 'traitName' => 'email'],
            ['columnName' => 'City', 'traitGroup' => 'Contact', 'traitName' => 'city'],
        ];
        $request = ['filename' => 'a.csv', 'fileSize' => strlen($content), 'columnMappings' => $columns];
        $created = memory()->imports->create($storeId, V1\ImportModels::createCreateProfilesImportV2Request($request));
        $put = ['http' => ['method' => 'PUT', 'header' => 'Content-Type: text/csv', 'content' => $content]];
        file_get_contents($created->url, false, stream_context_create($put));
        $deadline = time() + PATIENCE; // the answer's statusUrl is not among the SDK's properties
        do {
            usleep(50_000);
            $import = memory()->imports($storeId, $created->importId)->fetch();
        } while (in_array($import->status, ['PENDING', 'PROCESSING']) && time() < $deadline);
        expect(['COMPLETED', 'a.csv'], [$import->status, $import->filename]);
        expect([$created->importId], memory()->imports->read($storeId));
    },
    'a store is changed only with its current ETag' => function () {
        load('Store');
        $storeId = makeStore();
        $etag = trim(memory()->stores($storeId)->fetchWithMetadata()->getHeaders()['etag']);
        $renamed = V1\StoreModels::createPatchStoreRequest(['displayName' => 'renamed-' . bin2hex(random_bytes(8))]);
        finished(memory()->stores($storeId)->patch($renamed, ['ifMatch' => $etag])->statusUrl);
        $again = fn () => memory()->stores($storeId)->patch($renamed, ['ifMatch' => $etag]);
        expectRefused(412, 520043, $again);
        expect(2, memory()->stores($storeId)->fetch()->version);
    },
    'settings are changed with data in the store, and stored values follow' => function () {
        load('IdentityResolutionSetting');
        $storeId = makeStore();
        $profileId = makeProfile($storeId, ['chat' => 'MiXeD@x']);
        $settings = memory()->identityResolutionSettings->fetch($storeId);
        $configs = $settings->identifierConfigs;
        foreach ($configs as &$config) {
            $config['normalization'] = $config['idType'] === 'chat' ? 'email' : $config['normalization'];
        }
        $core = V1\IdentityResolutionSettingModels::createIdentityResolutionSettingsCore([
            'identifierConfigs' => $configs, 'matchingRules' => $settings->matchingRules,
        ]);
        finished(memory()->identityResolutionSettings->update($storeId, $core)->statusUrl);
        expect(['mixed@x'], memory()->identifiers($storeId, $profileId, 'chat')->fetch()->values);
    },
    'a trait group is created, changed and deleted with its values' => function () {
        load('TraitGroup');
        $storeId = makeStore();
        $plan = ['displayName' => 'Billing', 'traits' => ['plan' => ['dataType' => 'STRING']]];
        $created = memory()->traitGroups->create($storeId, V1\TraitGroupModels::createTraitGroupRequest($plan));
        expect('Billing', finished($created->statusUrl)['result']['id']);
        $billing = memory()->traitGroups($storeId, 'Billing');
        $seats = V1\TraitGroupModels::createPatchTraitGroupRequest(['traits' => ['seats' => ['dataType' => 'NUMBER']]]);
        finished($billing->patch($seats)->statusUrl);
        expect(['plan', 'seats'], array_keys($billing->fetch()->traitGroup['traits']));
        expect(2, count(memory()->traitGroups->read($storeId, [], null, 1)));
        finished($billing->delete()->statusUrl);
        expectRefused(404, 520047, fn () => $billing->fetch());
    },
    'traits are changed, removed with null, fetched and listed to their end' => function () {
        $storeId = makeStore();
        $profileId = makeProfile($storeId, ['email' => 'a@example.com', 'city' => 'Gary', 'firstName' => 'Al']);
        $profile = memory()->profiles($storeId, $profileId);
        expect(3, count(memory()->traits->read($storeId, $profileId, [], null, 2)));
        $patch = ['traits' => ['Contact' => ['firstName' => 'Alice', 'city' => null]]];
        $profile->patch(V1\ProfileModels::createProfilePatch($patch));
        $traits = $profile->fetch(['traitGroups' => 'Contact'])->traits['Contact'];
        ksort($traits);
        expect(['email' => 'a@example.com', 'firstName' => 'Alice'], $traits);
    },
    'profiles are listed to their end' => function () {
        $storeId = makeStore();
        $created = array_map(fn ($number) => makeProfile($storeId, ['chat' => "c-$number"]), range(1, 5));
        expect($created, memory()->profiles->read($storeId, ['orderBy' => 'ASC'], null, 2));
    },
    'identifiers are added, listed, replaced and removed' => function () {
        load('Identifier'); // has a class Identifier, and so has Lookup
        $storeId = makeStore();
        $profileId = makeProfile($storeId, ['email' => 'a@example.com']);
        $added = V1\IdentifierModels::createIdentifier(['idType' => 'phone', 'value' => '(317) 555-6789']);
        memory()->identifiers->create($storeId, $profileId, $added);
        $listed = array_column(memory()->identifiers->read($storeId, $profileId), 'values', 'idType');
        expect(['email' => ['a@example.com'], 'phone' => ['+13175556789']], $listed);
        $phone = memory()->identifiers($storeId, $profileId, 'phone');
        $change = ['idType' => 'phone', 'oldValue' => '+13175556789', 'newValue' => '1-317-555-6798'];
        $phone->patch(V1\IdentifierModels::createIdentifierUpdate($change));
        expect(['+13175556798'], $phone->fetch()->values);
        $phone->delete(['removeAll' => true]);
        expectRefused(404, 20404, fn () => $phone->fetch());
    },
    'profiles and stores are deleted' => function () {
        $storeId = makeStore();
        $profile = memory()->profiles($storeId, makeProfile($storeId, ['email' => 'a@example.com']));
        expect('Profile accepted for deletion.', $profile->delete()->message);
        expectRefused(404, 20404, fn () => $profile->fetch());
        finished(memory()->stores($storeId)->delete()->statusUrl);
        expectRefused(404, 520041, fn () => memory()->stores($storeId)->fetch());
    },
    // The limitations of the SDK with any server. If one of these fails, a newer SDK no longer has the limitation.
    'the SDK takes the redirects of all writes for success, and nothing is written' => function () {
        load('Identifier');
        $storeId = makeStore();
        [$alias, $canonical] = makeAlias($storeId);
        $city = V1\ProfileModels::createProfilePatch(['traits' => ['Contact' => ['city' => 'Gary']]]);
        expect('This resource has moved.', memory()->profiles($storeId, $alias)->patch($city)->message);
        expect('This resource has moved.', memory()->profiles($storeId, $alias)->delete()->message);
        $phone = V1\IdentifierModels::createIdentifier(['idType' => 'phone', 'value' => '+442079460958']);
        expect('This resource has moved.', memory()->identifiers->create($storeId, $alias, $phone)->message);
        expect(['+13175556789'], memory()->identifiers($storeId, $canonical, 'phone')->fetch()->values);
        expect(false, isset(memory()->profiles($storeId, $canonical)->fetch()->traits['Contact']['city']));
        $moved = memory()->profiles($storeId, $alias)->fetchWithMetadata();
        expect([301, $canonical], [$moved->getStatusCode(), trim($moved->getHeaders()['canonical-profile-id'])]);
    },
    'the SDK cannot load its model files together' => function () {
        $output = elsewhere('load("Identifier"); load("Lookup");');
        expect(1, preg_match('/Cannot declare class .*Identifier/', $output));
    },
];

$failed = 0;
foreach (isset($argv[1]) ? [] : array_keys($steps) as $name) {
    passthru(escapeshellarg(PHP_BINARY) . ' ' . escapeshellarg(__FILE__) . ' ' . escapeshellarg($name), $status);
    $failed += $status === 0 ? 0 : 1;
}
if (isset($argv[1])) {
    $steps[$argv[1]]();
    echo "ok $argv[1]\n";
}
exit($failed);
