# What the Vagrantfile needs to know and to check.
require 'etc'
require 'fileutils'
require 'ipaddr'
require 'json'
require 'open3'
require 'set'
require 'shellwords'
require_relative 'machines'
require_relative 'ownership'
require_relative 'settings'
require_relative 'virtual'

module Lab
  FOLDER = File.expand_path('..', __dir__)

  # As provision/own has it: this machine's engine, whichever other one its user works with.
  ENV['DOCKER_HOST'] = 'unix:///var/run/docker.sock'
  %w[DOCKER_CONTEXT DOCKER_TLS DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_API_VERSION DOCKER_DEFAULT_PLATFORM].each do |name|
    ENV.delete(name)
  end

  CONFIGURATION = File.join(FOLDER, 'lab.yml')
  SETTINGS = Settings.read(CONFIGURATION, ENV)
  NODES = SETTINGS.fetch('nodes')
  NAME = ENV.fetch('LAB_NAME', 'lab')
  SUBNET = ENV.fetch('LAB_SUBNET', SETTINGS.fetch('subnet'))
  KEY = File.join(FOLDER, '.lab', 'login_key')
  UPLOAD = File.join(FOLDER, '.lab', 'node.tar')
  AUTHORITIES = '/usr/local/share/ca-certificates'
  MACHINES = File.join(FOLDER, '.lab', 'machines.json')
  PROVIDER = File.join(FOLDER, 'provision/provider')
  PROVIDERS = %w[docker virtualbox libvirt].freeze
  NETWORKS_CONF = '/etc/vbox/networks.conf'
  LABELLED = ['--filter', "label=lab.name=#{NAME}"].freeze

  # What a node takes when the lab is busy (docs/measurements.md), with some room. Its `memory` in
  # lab.yml is a limit that it does not come near.
  NODE_MEMORY_MIB = 1536
  NODE_DISK_MIB = 3 * 1024

  # Everything that a container may be given here but what this kind of kernel refuses
  # (SYS_RESOURCE, BPF, PERFMON, CHECKPOINT_RESTORE): enough for systemd and a Docker of its own.
  CAPABILITIES = %w[
    AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID
    IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE
    NET_BROADCAST NET_RAW SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_NICE
    SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_TIME SYS_TTY_CONFIG WAKE_ALARM
  ].freeze

  module_function

  # -- names and addresses ------------------------------------------------------------------------

  # What a node's machine is called by its provider, and made with.
  def machine(name)
    node = NODES.fetch(name)
    described = { 'name' => "#{NAME}-#{name}", 'address' => address(node), 'memory' => node.fetch('memory') }
    return described.merge('image' => node_image, 'volumes' => volumes(name)) if docker?

    described.merge('cpus' => cpus, 'box' => box.to_s, 'volumes' => [])
  end

  # What of lab.yml, the environment and the node image machines are made from.
  def made_from
    from = { 'subnet' => SUBNET, 'builder' => SETTINGS.fetch('builder'), 'nodes' => NODES, 'image' => image_digest }
    SETTINGS.key?('machines') ? from.merge(SETTINGS.slice('machines')) : from
  end

  def address(node) = host_address(node.fetch('host'))

  def host_address(host) = IPAddr.new(IPAddr.new(SUBNET).to_i + host, Socket::AF_INET).to_s

  def hosts = NODES.to_h { |name, node| [name, address(node)] }

  # -- the provider -------------------------------------------------------------------------------

  # Vagrant's own choice may be one that does not work. Only `up` makes machines; all else is done to
  # those that are there.
  def provider
    @provider ||= command == 'up' ? chosen : PROVIDERS.find { |one| ids(one).any? } || ENV['VAGRANT_DEFAULT_PROVIDER'] || 'docker'
  end

  # Whether machines may be provisioned by this command.
  def provisions? = %w[up provision reload resume].include?(command)

  def command = ARGV.find { |argument| !argument.start_with?('-') }

  # Ends the program, whose words are on standard error already, if there is none.
  def chosen
    output, status = Open3.capture2(PROVIDER, 'which', *asked_provider)
    status.success? ? output.strip : exit(1)
  end

  def asked_provider
    ARGV.each_with_index.filter_map { |word, at| word == '--provider' ? ARGV[at + 1] : word[/\A--provider=(.*)/, 1] }.last(1)
  end

  def docker? = provider == 'docker'

  # -- virtual machines ---------------------------------------------------------------------------

  def machines = SETTINGS.fetch('machines', {})

  def cpus = machines.fetch('cpus', Virtual::CPUS)

  def box(of = provider) = Virtual.box(machines, of, Virtual.architecture)

  # Vagrant before 2.4 takes whatever architecture a box comes in.
  def architectures? = Gem::Version.new(Vagrant::VERSION) >= Gem::Version.new('2.4')

  # -- what the shell provisioner gets ------------------------------------------------------------

  # As one file: Vagrant takes seconds for each that it brings to several machines at the same time.
  def upload
    @upload ||= begin
      FileUtils.mkdir_p(File.dirname(UPLOAD), mode: 0o700)
      partial = "#{UPLOAD}.#{Process.pid}"
      system('tar', '--create', '--file', partial, *uploaded, exception: true)
      File.rename(partial, UPLOAD)
      UPLOAD
    end
  rescue StandardError => e
    abort "lab: #{UPLOAD} can't be written: #{e.message}"
  end

  # tar's arguments. A transformation is one of all names, wherever it stands.
  def uploaded
    authorities = Dir.glob('*.crt', base: AUTHORITIES)
    ['--exclude-from', File.join(FOLDER, 'provision/left-out'),
     '--transform', 's,^node,lab-node,', '--transform', 's,^[^/]*[.]crt$,lab-authorities/&,',
     '--directory', File.join(FOLDER, 'provision'), 'node', *(['--directory', AUTHORITIES, *authorities] if authorities.any?)]
  end

  def environment(node)
    { 'LAB_ADDRESS' => address(node),
      'LAB_HOSTS' => hosts.map { |name, address| "#{address}=#{name}" }.join(','),
      'LAB_PROVISION_DIGEST' => provision_digest }
  end

  def provision_digest = @provision_digest ||= digest

  def digest(*arguments)
    program = File.join(FOLDER, 'provision/node-digest')
    # As a pair: alone it would be a line of the shell's, which splits it at a blank.
    output, status = Open3.capture2([program, program], *arguments)
    status.success? or abort 'lab: provision/node-digest failed (see above)'
    output.strip
  end

  # -- the docker provider ------------------------------------------------------------------------

  def node_image = "lab-node:#{image_digest}"

  def image_digest = @image_digest ||= digest('image')

  # Named volumes outlive `vagrant destroy`: the builder's cache and the registry's images.
  def volumes(node)
    return [] unless node == SETTINGS.fetch('builder')

    ["#{NAME}-builder:/var/cache/lab/builder", "#{NAME}-registry:/var/cache/lab/registry"]
  end

  def create_args(name)
    wanted = machine(name)
    privileges +
      %W[--cgroupns=private --tmpfs /run --tmpfs /run/lock --restart always
         --label lab.name=#{NAME} --label lab.folder=#{FOLDER} --label lab.subnet=#{SUBNET}
         --network #{NAME} --ip #{wanted['address']} --network-alias #{name}
         --memory #{wanted['memory']}m --publish 127.0.0.1::22
         --volume #{login_key}.pub:/etc/ssh/lab_login_key.pub:ro]
  end

  # --privileged where the machine allows it, else the same but for what it refuses.
  def privileges
    @privileges ||= begin
      output, ok = docker('run', '--rm', '--privileged', '--network', 'none', '--entrypoint', '/bin/true', node_image)
      if ok
        ['--privileged']
      elsif output =~ /unable to apply caps|operation not permitted/
        CAPABILITIES.flat_map { |capability| ['--cap-add', capability] } +
          %w[seccomp systempaths apparmor].flat_map { |profile| ['--security-opt', "#{profile}=unconfined"] }
      else
        # Before the first `up` there is no image to try with, and nothing that needs the answer.
        []
      end
    end
  end

  def login_key
    unless File.exist?(KEY)
      FileUtils.mkdir_p(File.dirname(KEY), mode: 0o700)
      system('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', NAME, '-f', KEY) or abort 'lab: ssh-keygen failed'
    end
    KEY
  end

  # What it printed, or why it failed: warnings are no part of an answer.
  def docker(*arguments)
    output, errors, status = Open3.capture3('docker', *arguments)
    status.success? ? [output, true] : [output + errors, false]
  rescue Errno::ENOENT
    ['docker: command not found', false]
  end

  # Ends the program if Docker fails: no answer is not an empty one.
  def ask_docker(*arguments)
    output, ok = docker(*arguments)
    ok or abort "lab: `docker #{arguments.first}` failed (#{output.lines.last&.strip}): see `docker info`"
    output
  end

  # By its id: another folder's lab may have a node of this name.
  def kill(id) = docker('kill', id)

  # Not while a node of a lab of this name is left, a stopped one or another folder's too.
  def remove_network
    return if nodes.any?

    docker('network', 'rm', *ask_docker('network', 'ls', '--quiet', *LABELLED).split)
  end

  # Vagrant inspects every container of the machine for port collisions, and dies when one that is
  # not the lab's vanishes meanwhile. The lab forwards no fixed port.
  def ignore_foreign_ports
    VagrantPlugins::DockerProvider::Driver.prepend(Module.new { def read_used_ports = Hash.new { Set.new } })
  end

  # -- before Vagrant touches anything ------------------------------------------------------------

  def check(command)
    if command == 'up'
      docker? ? preflight : preflight_virtual
      describe
    elsif docker? && %w[destroy halt provision reload resume suspend].include?(command)
      check_docker if command == 'destroy'
      check_own_lab
      check_no_copy
    end
  end

  def preflight
    check_folder
    check_docker
    check_own_lab
    check_owner
    check_removed
    check_remade
    check_login_key
    check_network
    check_subnet
    check_room
    replace_strangers
    build_node_image
    create_network
  end

  def preflight_virtual
    check_folder
    check_works
    check_removed
    check_own_machines
    check_names
    check_virtual_network
    check_remade
    check_memory
    check_box
  end

  def check_folder
    refusal = unbearable(FOLDER)
    abort "lab: #{refusal}" if refusal
  end

  # Vagrant dies of its own folder's name then, after it has made things, and while it ends, too.
  def check_locale
    return if FOLDER.ascii_only? || Encoding.default_external == Encoding::UTF_8

    $stderr.puts "lab: Vagrant can't bear the folder #{FOLDER.b.dump} in the locale of #{Encoding.default_external}: " \
                 'set LC_ALL=C.UTF-8'
    exit!(1)
  end

  # As host.sh has it, which says why.
  def unbearable(folder)
    path = folder.dup.force_encoding(Encoding::UTF_8)
    return if path.valid_encoding? && !path.match?(/[[:cntrl:]:"~%\\]|\$\{/)

    "#{path.b.dump} can't hold a lab: clone into a folder whose path has no : \" ~ % \\ ${, " \
      'no control character, and is UTF-8'
  end

  def check_docker
    output, ok = docker('info', '--format', '{{.ServerVersion}}')
    return if ok

    if output =~ /permission denied/
      user = Etc.getpwuid.name
      abort "lab: user #{user} may not use this machine's Docker: `sudo usermod -aG docker #{user}` and sign in again, " \
            'or run this with sudo'
    end
    abort "lab: no Docker engine answers (#{output.lines.last&.strip}): start Docker, or run `make up`, which does"
  end

  # One folder keeps one lab: its Vagrant would take another lab's nodes for its own.
  def check_own_lab
    known.each do |id|
      output, ok = docker('inspect', '--format', '{{index .Config.Labels "lab.name"}} {{index .Config.Labels "lab.subnet"}}', id)
      name, subnet = output.split
      next if !ok || [name, subnet] == [NAME, SUBNET]

      abort "lab: this folder has the lab '#{name}' on #{subnet}: go on with LAB_NAME=#{name} LAB_SUBNET=#{subnet}, " \
            'destroy it first (`make destroy` with these), or use another clone'
    end
  end

  # The containers that this folder's Vagrant knows as its machines.
  def known = ids('docker').values

  # Of the machines that this folder's Vagrant knows: node -> id.
  def ids(provider = '*')
    Dir.glob(".vagrant/machines/*/#{provider}/id", base: FOLDER).to_h do |file|
      [file.split('/')[2], File.read(File.join(FOLDER, file)).strip]
    end
  end

  # What the machines that are there were made with.
  def made
    return made_virtual unless docker?

    ids = ids('docker').invert
    return {} if ids.empty?

    # Not by its status: one of them may be gone.
    output, = Open3.capture3('docker', 'inspect', '--type', 'container', *ids.keys)
    JSON.parse(output).to_h { |inspected| [ids[inspected['Id']], Machines.made(inspected)] }
  end

  def wanted = NODES.keys.to_h { |name| [name, machine(name)] }

  def nodes
    mine = known
    output = ask_docker('ps', '--all', '--no-trunc', *LABELLED, '--format', '{{.ID}} {{.State}} {{.Label "lab.folder"}}')
    output.lines(chomp: true).map do |line|
      id, state, folder = line.split(' ', 3)
      Ownership::Node.new(id:, folder: folder.to_s, running: !%w[created exited dead].include?(state), known: mine.include?(id))
    end
  end

  # Nodes of this name, dead or alive, that are not this folder's, or that its Vagrant has forgotten.
  def strangers = nodes.reject { |node| Ownership.whose(node, FOLDER) == :own }

  def check_owner
    found = strangers
    return if found.empty? || ENV['LAB_REPLACE'] == 'yes'

    refusal = Ownership.refusal(NAME, found, FOLDER, since(found))
    abort "lab: #{refusal}" if refusal
  end

  # Since when the first of the nodes that run does, or the last of them stands.
  def since(nodes)
    running = nodes.select(&:running)
    key, whole, pick = running.any? ? ['StartedAt', running, :min] : ['FinishedAt', nodes, :max]
    output, ok = docker('inspect', '--format', "{{.State.#{key}}}", *whole.map(&:id))
    # One of them may be gone by now.
    return 'a while' unless ok

    output.split.map { |time| Time.parse(time) }.send(pick).localtime.strftime('%Y-%m-%d %H:%M')
  end

  def check_removed
    refusal = Machines.removed(ids.keys, NODES.keys)
    abort "lab: #{refusal}" if refusal
  end

  # Those of another lab are replaced, and made as they are wanted.
  def check_remade
    refusal = docker? && strangers.any? ? nil : Machines.refusal(made, wanted)
    abort "lab: #{refusal}" if refusal
  end

  # What came with a copy of another folder's .vagrant is that folder's.
  def check_no_copy
    node = nodes.find { |one| one.known && Ownership.whose(one, FOLDER) == :another } or return
    abort "lab: the lab '#{NAME}' belongs to #{node.folder}, and .vagrant here is a copy of its: it is left alone"
  end

  # Docker looks for it where the lab was booted, whenever a node starts.
  def check_login_key
    node = nodes.find do |one|
      !one.running && one.known && Ownership.whose(one, FOLDER) == :own && !File.file?(File.join(one.folder, '.lab/login_key.pub'))
    end
    return unless node

    abort "lab: the nodes were made in #{node.folder} and look for their login key there: " \
          "bring the folder back, or `ln -s #{FOLDER.shellescape} #{node.folder.shellescape}`"
  end

  # A network of the lab's name has to be the lab's, or go with the lab that is to be replaced.
  def check_network
    network = own_network or return
    unless (network['Labels'] || {})['lab.name'] == NAME
      abort "lab: Docker's network '#{NAME}' is not this project's (it has no label lab.name=#{NAME}): " \
            "choose another LAB_NAME, or remove it with `docker network rm #{NAME}`"
    end
    subnet = subnets(network).first
    return if subnet == SUBNET || (strangers.any? && strangers == nodes)

    abort "lab: the lab's Docker network '#{NAME}' has the subnet #{subnet}, not #{SUBNET}: " \
          "remove it with `docker network rm #{NAME}`, or set LAB_SUBNET=#{subnet}"
  end

  def check_subnet
    docker_networks.each do |network|
      subnet = subnets(network).find { |one| overlap?(one, SUBNET) }
      next if network['Name'] == NAME || subnet.nil?

      abort "lab: LAB_SUBNET #{SUBNET} overlaps #{subnet} of Docker's network '#{network['Name']}': " \
            'choose another /24, for example LAB_SUBNET=192.168.57.0/24'
    end
    check_routes(own_network ? subnets(own_network) : [])
  end

  # own: the subnets that the lab's own network leads to.
  def check_routes(own)
    output, = Open3.capture2('ip', '-4', '-o', 'route')
    route = output.lines.find do |line|
      # Before it may stand what kind of route it is: unreachable, blackhole.
      to = line.split.first(2).find { |word| word.include?('/') }
      to && !own.include?(to) && overlap?(to, SUBNET)
    end
    abort "lab: LAB_SUBNET #{SUBNET} overlaps a route of this machine (#{route.strip}): choose another /24" if route
  end

  def docker_networks
    ids = ask_docker('network', 'ls', '--quiet').split
    # Not by its status: one of them may be gone by now.
    output, = Open3.capture3('docker', 'network', 'inspect', *ids)
    JSON.parse(output)
  end

  def own_network = docker_networks.find { |network| network['Name'] == NAME }

  def subnets(network) = (network.dig('IPAM', 'Config') || []).filter_map { |ipam| ipam['Subnet'] }

  def overlap?(one, other)
    one, other = [one, other].map { |subnet| IPAddr.new(subnet) }
    one.family == other.family && (one.include?(other) || other.include?(one))
  end

  def check_room
    return if nodes.any?(&:running)

    root = ask_docker('info', '--format', '{{.DockerRootDir}}').strip
    memory = File.read('/proc/meminfo')[/^MemAvailable:\s+(\d+)/, 1].to_i / 1024
    disk = `df --output=avail --block-size=1M #{root.shellescape}`.lines.last.to_i
    short = [shortage('of memory', memory, NODE_MEMORY_MIB), shortage("below #{root}", disk, NODE_DISK_MIB)].compact
    abort "lab: no room for #{NODES.size} nodes: #{short.join(', ')}: end or remove something first" if short.any?
  end

  def shortage(where, free, of_one)
    needed = of_one * NODES.size
    "#{free} MiB #{where} are free and #{needed} needed" if free < needed
  end

  # Not warn: Vagrant silences it.
  def replace_strangers
    found = strangers
    return if found.empty?

    $stderr.puts "lab: replacing the lab '#{NAME}' of #{found.map(&:folder).uniq.join(', ')} (#{found.size} nodes)"
    docker('rm', '--force', '--volumes', *found.map(&:id))
    remove_network
  end

  def build_node_image
    return if docker('image', 'inspect', node_image).last

    system(File.join(FOLDER, 'provision/node-image.sh'), node_image) or abort 'lab: the node image could not be built (see above)'
  end

  def create_network
    return check_network if own_network

    output, ok = docker('network', 'create', '--subnet', SUBNET, '--gateway', host_address(1),
                        '--label', "lab.name=#{NAME}", '--label', "lab.folder=#{FOLDER}", NAME)
    ok or abort "lab: Docker could not create the network '#{NAME}': #{output.strip}"
  end

  # -- before virtual machines are made -----------------------------------------------------------

  # Only a box of lab.yml's may say that its machines are emulated; those that are there came up.
  def check_works
    emulated = machines.key?('box') || ids(provider).any? ? ['emulated'] : []
    system(PROVIDER, 'works', provider, *emulated) or exit 1
  end

  # What a program of the provider's answers, in English; nil if it fails.
  def ask(*command)
    output, _, status = Open3.capture3({ 'LC_ALL' => 'C' }, *command)
    output if status.success?
  end

  def virsh(*arguments) = ask('virsh', '--connect', ENV.fetch('LIBVIRT_DEFAULT_URI', 'qemu:///system'), *arguments)

  def vboxmanage(*arguments) = ask('VBoxManage', *arguments)

  # What the provider tells of the machines that this folder's Vagrant knows: node -> name and size.
  def told
    @told ||= ids(provider).filter_map do |node, id|
      text = provider == 'libvirt' ? virsh('dominfo', id) : vboxmanage('showvminfo', id, '--machinereadable')
      text && [node, provider == 'libvirt' ? Virtual.domain(text) : Virtual.vm(text)]
    end.to_h
  end

  def made_virtual
    told.slice(*NODES.keys).to_h do |node, told|
      box_meta = parsed(File.join(FOLDER, '.vagrant/machines', node, provider, 'box_meta'))
      [node, Virtual.made(told, box_meta, (parsed(MACHINES) || {}).dig('machines', node) || {}, machine(node))]
    end
  end

  # The JSON of a file; nil if it has none.
  def parsed(file)
    JSON.parse(File.read(file))
  rescue SystemCallError, JSON::ParserError
    nil
  end

  # One folder keeps one lab.
  def check_own_machines
    node, machine = told.find { |name, one| one['name'] != "#{NAME}-#{name}" }
    return unless node

    abort "lab: this folder has the machine '#{machine['name']}': go on with the LAB_NAME and LAB_SUBNET that it was made with, " \
          'destroy it first (`make destroy` with these), or use another clone'
  end

  def check_names
    there = Virtual.listed(provider, (provider == 'libvirt' ? virsh('list', '--all', '--uuid', '--name') : vboxmanage('list', 'vms')).to_s)
    name = NODES.keys.map { |node| "#{NAME}-#{node}" }.find { |one| there.key?(one) && !ids(provider).value?(there[one]) }
    return unless name

    abort "lab: #{provider} has a machine '#{name}' that is not this folder's: boot another lab with " \
          'LAB_NAME=two LAB_SUBNET=192.168.57.0/24, or remove that machine where it was made'
  end

  def check_virtual_network
    management = Virtual::MANAGEMENT.fetch(provider)
    if overlap?(management, SUBNET)
      abort "lab: LAB_SUBNET #{SUBNET} overlaps #{management}, by which Vagrant reaches the machines of #{provider}: choose another /24"
    end
    provider == 'libvirt' ? check_libvirt_networks : check_host_only
  end

  # vagrant-libvirt would take another's network of that subnet for the lab's.
  def check_libvirt_networks
    networks = virsh('net-list', '--all', '--name').to_s.split.to_h { |name| [name, Virtual.subnets(virsh('net-dumpxml', name).to_s)] }
    networks.each do |name, subnets|
      subnet = subnets.find { |one| overlap?(one, SUBNET) }
      if name == NAME && subnets != [SUBNET]
        abort "lab: libvirt's network '#{NAME}' has the subnet #{subnets.first || 'none'}, not #{SUBNET}: choose another LAB_NAME, " \
              "or remove it with `virsh net-destroy #{NAME}` and `virsh net-undefine #{NAME}`"
      elsif name != NAME && subnet
        abort "lab: LAB_SUBNET #{SUBNET} overlaps #{subnet} of libvirt's network '#{name}': " \
              'choose another /24, for example LAB_SUBNET=192.168.57.0/24'
      end
    end
    check_routes(networks.fetch(NAME, []))
  end

  # VirtualBox keeps host-only networks, and shares one among all machines of its subnet.
  def check_host_only
    text = File.exist?(NETWORKS_CONF) ? File.read(NETWORKS_CONF) : nil
    unless Virtual.host_only?(SUBNET, text)
      abort "lab: VirtualBox makes no host-only network #{SUBNET}: choose one within #{Virtual::HOST_ONLY}, " \
            "or write the line `* #{SUBNET}` into #{NETWORKS_CONF}"
    end
    interfaces = vboxmanage('list', 'hostonlyifs').to_s.scan(/^IPAddress:\s+(\S+)/).flatten
    check_routes(interfaces.include?(host_address(1)) ? [SUBNET] : [])
  end

  def check_memory
    named = ARGV & NODES.keys
    nodes = (named.empty? ? NODES.keys : named).reject { |node| told.dig(node, 'running') }
    free = File.read('/proc/meminfo')[/^MemAvailable:\s+(\d+)/, 1].to_i / 1024
    refusal = Virtual.shortage(nodes.to_h { |node| [node, NODES[node]['memory']] }, free)
    abort "lab: #{refusal}" if refusal
  end

  # Once, and before anything is made: Vagrant would do it for each machine, and while it makes them.
  def check_box
    return if ids(provider).keys & NODES.keys == NODES.keys

    box or abort "lab: no box is known for #{provider} on #{Virtual.architecture}: name one in lab.yml (machines: {box: NAME})"
    return if box_there?

    $stderr.puts "lab: fetching the box #{box} for #{provider}"
    version = box.version ? ['--box-version', box.version] : []
    # Elsewhere, or it would read this Vagrantfile.
    output, status = Open3.capture2e({ 'VAGRANT_CWD' => nil }, 'vagrant', 'box', 'add', box.name, '--provider', provider, *version, chdir: '/')
    return if status.success?

    why = output[/^Error: (.*)/, 1] || output.lines.first.to_s.strip
    abort "lab: the box #{box} can't be had for #{provider} (#{why}): add it with `vagrant box add`, or name another in lab.yml " \
          '(machines: {box: NAME})'
  end

  # As Vagrant keeps boxes: NAME/VERSION/PROVIDER, since 2.4 NAME/VERSION/ARCHITECTURE/PROVIDER.
  def box_there?
    boxes = File.join(ENV.fetch('VAGRANT_HOME', File.join(Dir.home, '.vagrant.d')), 'boxes', box.name.gsub('/', '-VAGRANTSLASH-'))
    Dir.glob("#{box.version || '*'}/{,*/}#{provider}/metadata.json", base: boxes).any?
  end

  # -- what the tasks read ------------------------------------------------------------------------

  # Before the machines are made: who is cut off meanwhile brings them up again.
  def describe
    text = "#{JSON.pretty_generate(Machines.description(NAME, provider, made_from, made, wanted))}\n"
    return if File.exist?(MACHINES) && File.read(MACHINES) == text

    FileUtils.mkdir_p(File.dirname(MACHINES), mode: 0o700)
    File.write("#{MACHINES}.partial", text)
    File.rename("#{MACHINES}.partial", MACHINES)
  rescue SystemCallError => e
    abort "lab: #{MACHINES} can't be written: #{e.message}"
  end
end
