# What the Vagrantfile needs to know and to check. Reads lab.yml (nodes and subnet only; the rest of
# it, and every mistake in it, is lab/topology.py's), LAB_NAME and LAB_SUBNET.
require 'digest'
require 'fileutils'
require 'ipaddr'
require 'json'
require 'open3'
require 'set'
require 'shellwords'
require 'yaml'

module Lab
  FOLDER = File.expand_path('..', __dir__)
  CONFIGURATION = File.join(FOLDER, 'lab.yml')
  abort "lab: #{CONFIGURATION} is missing: restore it with `git checkout lab.yml`" unless File.exist?(CONFIGURATION)

  SETTINGS = YAML.safe_load(File.read(CONFIGURATION))
  NODES = SETTINGS.fetch('nodes')
  NAME = ENV.fetch('LAB_NAME', 'lab')
  SUBNET = ENV.fetch('LAB_SUBNET', SETTINGS.fetch('subnet'))
  KEY = File.join(FOLDER, '.lab', 'login_key')

  # What the whole lab takes when it is busy (docs/measurements.md), with some room.
  MEMORY_MIB = 6 * 1024
  DISK_MIB = 12 * 1024

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

  def container(node) = "#{NAME}-#{node}"

  def address(node) = host_address(node.fetch('host'))

  def host_address(host) = IPAddr.new(IPAddr.new(SUBNET).to_i + host, Socket::AF_INET).to_s

  def hosts = NODES.to_h { |name, node| [name, address(node)] }

  # -- the provider -------------------------------------------------------------------------------

  # Vagrant's own choice may be libvirt where no libvirtd runs, so look at what would work.
  def provider
    return 'virtualbox' if executable?('VBoxManage') && File.exist?('/dev/vboxdrv')
    return 'libvirt' if Vagrant.has_plugin?('vagrant-libvirt') && File.writable?('/dev/kvm') &&
                        File.writable?('/run/libvirt/libvirt-sock')

    'docker'
  end

  def docker? = ENV['VAGRANT_DEFAULT_PROVIDER'] == 'docker'

  def executable?(command) = ENV['PATH'].split(':').any? { |folder| File.executable?(File.join(folder, command)) }

  # -- what the shell provisioner gets ------------------------------------------------------------

  def uploads
    authorities = '/usr/local/share/ca-certificates'
    files = { File.join(FOLDER, 'provision/node') => '/tmp/lab-node' }
    files[authorities] = '/tmp/lab-authorities' unless Dir[File.join(authorities, '*.crt')].empty?
    files
  end

  def environment(node)
    { 'LAB_ADDRESS' => address(node), 'LAB_PROVIDER' => ENV['VAGRANT_DEFAULT_PROVIDER'],
      'LAB_HOSTS' => hosts.map { |name, address| "#{address}=#{name}" }.join(',') }
  end

  # -- the docker provider ------------------------------------------------------------------------

  def node_image = "lab-node:#{node_image_tag}"

  def node_image_tag
    files = %w[Dockerfile init packages].map { |file| File.join(FOLDER, 'provision/node', file) }
    Digest::SHA256.hexdigest(files.map { |file| File.read(file) }.join("\0"))[0, 12]
  end

  # Named volumes outlive `vagrant destroy`: the builder's cache and the registry's images.
  def volumes(node)
    return [] unless node == SETTINGS.fetch('builder')

    ["#{NAME}-builder:/var/cache/lab/builder", "#{NAME}-registry:/var/cache/lab/registry"]
  end

  def create_args(name, node)
    privileges +
      %W[--cgroupns=private --tmpfs /run --tmpfs /run/lock --restart always
         --label lab.name=#{NAME} --label lab.folder=#{FOLDER} --label lab.subnet=#{SUBNET}
         --network #{NAME} --ip #{address(node)} --network-alias #{name}
         --memory #{node.fetch('memory')}m --publish 127.0.0.1::22
         --volume #{login_key}.pub:/etc/ssh/lab_authorized_keys:ro] +
      hosts.flat_map { |host, ip| ['--add-host', "#{host}:#{ip}"] }
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
      # sshd reads the public half inside the nodes, through a read-only mount, as root's file.
      FileUtils.chmod(0o644, "#{KEY}.pub")
    end
    KEY
  end

  def docker(*arguments)
    output, status = Open3.capture2e('docker', *arguments)
    [output, status.success?]
  rescue Errno::ENOENT
    ['docker: command not found', false]
  end

  # By its id: another folder's lab may have a node of this name.
  def kill(id) = docker('kill', id)

  # Fails, as it should, while other nodes are still on it.
  def remove_network = docker('network', 'rm', NAME)

  # Vagrant inspects every container of the machine for port collisions, and dies when one that is
  # not the lab's vanishes meanwhile. The lab forwards no fixed port.
  def ignore_foreign_ports
    VagrantPlugins::DockerProvider::Driver.prepend(Module.new { def read_used_ports = Hash.new { Set.new } })
  end

  # -- before `vagrant up` touches anything -------------------------------------------------------

  def preflight
    check_docker
    check_own_lab
    replace_lab_of_another_folder
    check_subnet
    check_room
    build_node_image
    create_network
  end

  def check_docker
    output, ok = docker('info', '--format', '{{.ServerVersion}}')
    ok or abort "lab: no Docker engine answers (#{output.lines.last&.strip}): start Docker, or run `make up`, which does"
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
  def known
    Dir[File.join(FOLDER, '.vagrant/machines/*/docker/id')].map { |file| File.read(file).strip }
  end

  # A node that this folder's Vagrant knows is left alone; a node of this name that it does not know,
  # dead or alive, is in the way.
  def replace_lab_of_another_folder
    strangers = labelled('ps', '--all', '--no-trunc').reject { |id, _| known.include?(id) }
    return if strangers.empty?

    # Not warn: Vagrant silences it.
    $stderr.puts "lab: replacing the lab '#{NAME}' left by #{strangers.map(&:last).uniq.join(', ')} (#{strangers.size} nodes)"
    docker('rm', '--force', '--volumes', *strangers.map(&:first))
    remove_network if known.empty?
  end

  def labelled(*command)
    output, = docker(*command, '--filter', "label=lab.name=#{NAME}", '--format', '{{.ID}}|{{.Label "lab.folder"}}')
    output.lines.map { |line| line.strip.split('|') }
  end

  def check_subnet
    docker_networks.each do |name, subnet|
      next if name == NAME || !overlap?(subnet, SUBNET)

      abort "lab: LAB_SUBNET #{SUBNET} overlaps #{subnet} of Docker's network '#{name}': " \
            'choose another /24, for example LAB_SUBNET=192.168.57.0/24'
    end
    return if docker_networks.any? { |name, _| name == NAME }

    output, = Open3.capture2e('ip', '-4', '-o', 'route')
    route = output.lines.find { |line| line.split.first.include?('/') && overlap?(line.split.first, SUBNET) }
    abort "lab: LAB_SUBNET #{SUBNET} overlaps a route of this machine (#{route.strip}): choose another /24" if route
  end

  def docker_networks
    ids, = docker('network', 'ls', '--quiet')
    output, = Open3.capture2('docker', 'network', 'inspect', *ids.split)
    JSON.parse(output).flat_map do |network|
      (network.dig('IPAM', 'Config') || []).filter_map { |ipam| [network['Name'], ipam['Subnet']] if ipam['Subnet'] }
    end
  end

  def overlap?(one, other)
    one, other = [one, other].map { |subnet| IPAddr.new(subnet) }
    one.family == other.family && (one.include?(other) || other.include?(one))
  end

  def check_room
    return unless labelled('ps').empty?

    memory = File.read('/proc/meminfo')[/^MemAvailable:\s+(\d+)/, 1].to_i / 1024
    abort "lab: #{memory} MiB of memory are free, the lab needs #{MEMORY_MIB}: end something first" if memory < MEMORY_MIB

    root, = docker('info', '--format', '{{.DockerRootDir}}')
    disk = `df --output=avail --block-size=1M #{root.strip.shellescape}`.lines.last.to_i
    abort "lab: #{disk} MiB are free below #{root.strip}, the lab needs #{DISK_MIB}: make room first" if disk < DISK_MIB
  end

  def build_node_image
    return if docker('image', 'inspect', node_image).last

    system(File.join(FOLDER, 'provision/node-image.sh'), node_image) or abort 'lab: the node image could not be built (see above)'
  end

  def create_network
    return if docker('network', 'inspect', NAME).last

    output, ok = docker('network', 'create', '--subnet', SUBNET, '--gateway', host_address(1),
                        '--label', "lab.name=#{NAME}", '--label', "lab.folder=#{FOLDER}", NAME)
    ok or abort "lab: Docker could not create the network '#{NAME}': #{output.strip}"
  end
end
