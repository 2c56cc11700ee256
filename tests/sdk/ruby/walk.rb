# The unmodified official SDK for Ruby works with all resources.
#
#     TWILIO_RUBY=a-checkout-of-twilio-ruby BASE_URL=… ACCOUNT_SID=… AUTH_TOKEN=… ruby walk.rb
#
# It needs the gems faraday (2.x), jwt and nokogiri.

$LOAD_PATH.unshift File.join(ENV.fetch('TWILIO_RUBY'), 'lib')
require 'net/http'
require 'securerandom'
require 'twilio-ruby'

PATIENCE = 60 # seconds until a step gives up; long, because the machine may be busy
BASE_URL = ENV.fetch('BASE_URL')
V1 = Twilio::REST::Memory::V1

# The SDK has no setting for the base URL, but it takes an HTTP client.
class ClientHere < Twilio::HTTP::Client
  def request(_host, _port, method, url, *rest)
    here = URI(BASE_URL)
    super("#{here.scheme}://#{here.host}", here.port, method, url.sub('https://memory.twilio.com', BASE_URL), *rest)
  end
end

HTTP = ClientHere.new

def memory(auth_token = ENV.fetch('AUTH_TOKEN'))
  Twilio::REST::Client.new(ENV.fetch('ACCOUNT_SID'), auth_token, nil, nil, HTTP).memory.v1
end

def expect(expected, actual)
  raise "expected #{expected.inspect}, not #{actual.inspect}" unless expected == actual
end

def expect_refused(code)
  yield
rescue Twilio::REST::RestErrorV10 => e
  expect(code, e.code)
else
  raise "expected #{code}"
end

# Waits for the operation of the last answer. The SDK reads `status_url`, which no answer contains, so this reads the
# answer itself, which the HTTP client keeps.
def finished
  id = HTTP.last_response.body.fetch('statusUrl').split('/').last
  deadline = Time.now + PATIENCE
  while Time.now < deadline
    operation = memory.operations(id).fetch
    return operation unless %w[PENDING RUNNING].include?(operation.status)

    sleep 0.05
  end
  raise 'the operation does not end'
end

def make_store
  request = V1::StoreList::ServiceRequest.new('display_name' => "store-#{SecureRandom.hex(8)}")
  memory.stores.create(service_request: request)
  finished.result['id']
end

def make_profile(store_id, contact)
  data = V1::ProfileList::ProfileData.new('traits' => { 'Contact' => contact })
  memory.profiles(store_id).create(profile_data: data).id
end

# Returns the ID of a merged profile and the canonical one.
def make_alias(store_id)
  canonical = make_profile(store_id, 'email' => 'a@example.com')
  merged = make_profile(store_id, 'phone' => '+13175556789')
  expect(canonical, make_profile(store_id, 'phone' => '+13175556789', 'email' => 'a@example.com'))
  [merged, canonical]
end

def look_up(id_type, value)
  V1::LookupList::Identifier.new('id_type' => id_type, 'value' => value)
end

def patch_of(traits)
  V1::ProfileList::ProfilePatch.new('traits' => { 'Contact' => traits })
end

STEPS = {
  'a store is created and filled, and a lookup finds the merged profile' => lambda do
    store_id = make_store
    _, canonical = make_alias(store_id)
    phone = look_up('phone', '(317) 555-6789')
    expect([canonical], memory.lookup(store_id).create(identifier: phone).profiles)
    expect_refused(20003) { memory('a wrong token').lookup(store_id).create(identifier: phone) }
    expect_refused(520046) { memory.lookup(store_id).create(identifier: look_up('fax', '1')) }
  end,
  'a batch is written, and its operation completes' => lambda do
    store_id = make_store
    profile = V1::BulkList::ProfileData.new('traits' => { 'Contact' => { 'email' => 'a@example.com' } })
    batch = V1::BulkList::UpdateProfilesBulkRequest.new('profiles' => [profile])
    memory.bulk(store_id).update(update_profiles_bulk_request: batch)
    expect('COMPLETED', finished.status)
  end,
  'settings are fetched and changed' => lambda do
    store_id = make_store
    memory.identity_resolution_settings(store_id).fetch
    current = HTTP.last_response.body
    core = { 'identifier_configs' => current['identifierConfigs'], 'matching_rules' => %w[email] }
    body = V1::IdentityResolutionSettingList::IdentityResolutionSettingsCore.new(core)
    memory.identity_resolution_settings(store_id).update(identity_resolution_settings_core: body)
    expect('COMPLETED', finished.status)
    memory.identity_resolution_settings(store_id).fetch
    expect(%w[email], HTTP.last_response.body['matchingRules'])
  end,
  'a file is imported, and its results are fetched' => lambda do
    store_id = make_store
    content = "E-mail,City\na@example.com,Gary\n"
    columns = { 'E-mail' => 'email', 'City' => 'city' }.map do |column, trait|
      { 'columnName' => column, 'traitGroup' => 'Contact', 'traitName' => trait } # the SDK has no class for it
    end
    request = { 'filename' => 'a.csv', 'file_size' => content.size, 'column_mappings' => columns }
    body = V1::ImportList::CreateProfilesImportV2Request.new(request)
    created = memory.imports(store_id).create(create_profiles_import_v2_request: body)
    url = URI(created.url)
    Net::HTTP.start(url.host, url.port) { |http| http.put(url.request_uri, content) }
    import_id = HTTP.last_response.body['importId']
    expect('COMPLETED', finished.status)
    expect('COMPLETED', memory.imports(store_id, import_id).fetch.status)
  end,
  'a store is changed only with its current ETag' => lambda do
    store_id = make_store
    etag = memory.stores(store_id).fetch_with_metadata.headers.fetch('etag')
    renamed = V1::StoreList::PatchStoreRequest.new('display_name' => "renamed-#{SecureRandom.hex(8)}")
    memory.stores(store_id).patch(if_match: etag, patch_store_request: renamed)
    finished
    expect_refused(520043) { memory.stores(store_id).patch(if_match: etag, patch_store_request: renamed) }
    expect(2, memory.stores(store_id).fetch.version)
  end,
  'a trait group is created, fetched and deleted' => lambda do
    store_id = make_store
    plan = V1::TraitGroupList::TraitGroupRequestTraits.new('data_type' => 'STRING')
    request = { 'display_name' => 'Billing', 'description' => 'Plans', 'traits' => { 'plan' => plan } }
    group = V1::TraitGroupList::TraitGroupRequest.new(request)
    memory.trait_groups(store_id).create(trait_group_request: group)
    expect('Billing', finished.result['id'])
    memory.trait_groups(store_id, 'Billing').delete
    finished
    expect_refused(520047) { memory.trait_groups(store_id, 'Billing').fetch }
  end,
  'traits are changed, removed with null, and fetched by group' => lambda do
    store_id = make_store
    profile_id = make_profile(store_id, 'email' => 'a@example.com', 'city' => 'Gary', 'firstName' => 'Al')
    profile = memory.profiles(store_id, profile_id)
    profile.patch(profile_patch: patch_of('firstName' => 'Alice', 'city' => nil))
    contact = { 'email' => 'a@example.com', 'firstName' => 'Alice' }
    expect({ 'Contact' => contact }, profile.fetch(trait_groups: 'Contact').traits)
  end,
  'traits are listed to their end' => lambda do
    store_id = make_store
    profile_id = make_profile(store_id, 'email' => 'a@example.com', 'city' => 'Gary', 'firstName' => 'Al')
    listed = memory.traits(store_id, profile_id).list(page_size: 2)
    expect(%w[city email firstName], listed.map(&:name).sort)
  end,
  'identifiers are added, replaced, fetched and removed' => lambda do
    store_id = make_store
    profile_id = make_profile(store_id, 'email' => 'a@example.com')
    added = V1::IdentifierList::Identifier.new('id_type' => 'phone', 'value' => '(317) 555-6789')
    memory.identifiers(store_id, profile_id).create(identifier: added)
    phone = memory.identifiers(store_id, profile_id, 'phone')
    values = { 'id_type' => 'phone', 'old_value' => '+13175556789', 'new_value' => '1-317-555-6798' }
    phone.patch(identifier_update: V1::IdentifierList::IdentifierUpdate.new(values))
    expect(['+13175556798'], phone.fetch.values)
    phone.delete(remove_all: true)
    expect_refused(20404) { phone.fetch }
  end,
  'profiles and stores are deleted' => lambda do
    store_id = make_store
    profile = memory.profiles(store_id, make_profile(store_id, 'email' => 'a@example.com'))
    expect('Profile accepted for deletion.', profile.delete.message)
    expect_refused(20404) { profile.fetch }
    memory.stores(store_id).delete
    finished
    expect_refused(520041) { memory.stores(store_id).fetch }
  end,
  # The limitations of the SDK with any server. If one of these fails, a newer SDK no longer has the limitation.
  'the SDK takes the redirect of a delete for success, and nothing is deleted' => lambda do
    store_id = make_store
    merged, canonical = make_alias(store_id)
    expect('This resource has moved.', memory.profiles(store_id, merged).delete.message)
    expect(canonical, memory.profiles(store_id, canonical).fetch.id)
    expect_refused(nil) { memory.profiles(store_id, merged).patch(profile_patch: patch_of('city' => 'Gary')) }
    phone = V1::IdentifierList::Identifier.new('id_type' => 'phone', 'value' => '+442079460958')
    expect_refused(nil) { memory.identifiers(store_id, merged).create(identifier: phone) }
    moved = memory.profiles(store_id, merged).fetch_with_metadata
    expect([301, canonical], [moved.status_code, moved.headers.fetch('canonical-profile-id')])
  end,
  'lists of profiles have no IDs, but the answer has them' => lambda do
    store_id = make_store
    profile_id = make_profile(store_id, 'email' => 'a@example.com')
    expect([nil], memory.profiles(store_id).list.map(&:id))
    expect([profile_id], HTTP.last_response.body['profiles'])
  end,
  'some calls with metadata raise, also after they were done' => lambda do
    store_id = make_store
    profile_id = make_profile(store_id, 'email' => 'a@example.com')
    raised = begin
      memory.profiles(store_id, profile_id).delete_with_metadata
    rescue ArgumentError
      true
    end
    expect(true, raised)
    expect_refused(20404) { memory.profiles(store_id, profile_id).fetch }
    raised = begin
      memory.lookup(store_id).create_with_metadata(identifier: look_up('phone', '1-317-555-6789'))
    rescue NameError
      true
    end
    expect(true, raised)
    expect('+13175556789', HTTP.last_response.body['normalizedValue'])
  end,
  'properties of more than one word are nil' => lambda do
    store_id = make_store
    profile_id = make_profile(store_id, 'phone' => '+13175556789')
    expect(nil, memory.lookup(store_id).create(identifier: look_up('phone', '+13175556789')).normalized_value)
    expect(nil, memory.profiles(store_id, profile_id).fetch.created_at)
    expect(nil, memory.identity_resolution_settings(store_id).fetch.matching_rules)
  end
}.freeze

failed = STEPS.count do |name, step|
  step.call
  puts "ok #{name}"
  false
rescue StandardError => e
  warn "failed #{name}: #{e.full_message(highlight: false)}"
  true
end
exit(failed.zero?)
